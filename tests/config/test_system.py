"""Settings of the processes: sources, units, and what is wrong only together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.core.catalog import BreakerPolicy
from sidecar.settings.sources import Origin
from sidecar.settings.system import CAPTURE, default_home
from tests.support.config import errors, load

param = pytest.param


@pytest.mark.parametrize(
    ("environ", "attribute", "expected"),
    [
        param("TAXIMETER_JOURNAL_KEEP=7d", "journal_keep_s", 604800.0, id="days"),
        param("TAXIMETER_GRACE=90", "grace_s", 90.0, id="seconds without a unit"),
        param("TAXIMETER_INGEST_INTERVAL=50ms", "ingest_interval_s", 0.05, id="milliseconds"),
        param("TAXIMETER_LEDGER_KEEP=400d", "ledger_keep_s", 34560000.0, id="ledger"),
        param("TAXIMETER_JOURNAL_SEGMENT=16MiB", "journal_segment_bytes", 16 << 20, id="binary size"),
        param("TAXIMETER_MAX_MESSAGE=2MB", "max_message_bytes", 2_000_000, id="decimal size"),
        param("TAXIMETER_MAX_ANSWER=65536", "max_answer_bytes", 65536, id="bytes"),
        param("TAXIMETER_TAG_KEYS=team,,cost-centre", "tag_keys", ("team", "cost-centre"), id="names"),
        param("TAXIMETER_LISTEN=none", "listen", "", id="no TCP"),
        param("TAXIMETER_LISTEN=[::1]:0", "listen", "[::1]:0", id="IPv6 loopback"),
        param("TAXIMETER_LISTEN=", "listen", "127.0.0.1:50051", id="empty is unset"),
        param("TAXIMETER_QUERY_MEMORY=512MiB", "query_memory", "512MiB", id="memory as DuckDB reads it"),
        param("TAXIMETER_QUERY_MEMORY=268435456", "query_memory", "268435456B", id="which takes no number alone"),
        param("TAXIMETER_QUERY_MAX_ROWS=1_000", "query_max_rows", 1000, id="digits in groups"),
        param("TAXIMETER_TRACE_URL=http://j/{trace_id}?q=1", "trace_url", "http://j/{trace_id}?q=1", id="traces"),
        param("LOG_LEVEL=WARN", "log_level", "warning", id="another program's word"),
        param("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "otlp_protocol", "http/protobuf", id="protocol by port"),
        param("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "otlp_protocol", "grpc", id="protocol by default"),
        param("OTEL_EXPORTER_OTLP_HEADERS=a=1,b=x%20y", "otlp_headers", {"a": "1", "b": "x y"}, id="headers"),
        param("TAXIMETER_CONTROL_URL=postgres://u:p@h/d", "control_url", "postgres://u:p@h/d", id="control store"),
        param("OTEL_RESOURCE_ATTRIBUTES=k=v", "resource_attributes", {"k": "v"}, id="resource"),
        param("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=false", "capture_content", False, id="no capture"),
        param(
            "TAXIMETER_DASHBOARD_PORT=tcp://10.0.0.1:8501", "dashboard_port", 8501, id="a Kubernetes link is no port"
        ),
    ],
)
def test_a_variable_sets_a_setting(tmp_path: Path, environ: str, attribute: str, expected: object) -> None:
    assert getattr(load(tmp_path, environ).settings, attribute) == expected


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings.home == default_home()
    assert loaded.settings.socket == default_home() / "taximeter.sock"
    assert loaded.settings.control_url == f"sqlite:///{default_home() / 'control.db'}"
    assert {loaded.origins[name].place for name in ("home", "listen", "socket")} == {"built-in"}


def test_paths_are_taken_from_the_working_directory(tmp_path: Path) -> None:
    settings = load(tmp_path, "TAXIMETER_HOME=here TAXIMETER_PRICES_FILE=/p.toml").settings
    assert (settings.home, settings.socket) == (tmp_path / "here", tmp_path / "here" / "taximeter.sock")
    assert settings.prices_file == Path("/p.toml")


@pytest.mark.parametrize(
    ("environ", "files", "origin"),
    [
        param("LOG_LEVEL=error", {}, Origin("environment", "LOG_LEVEL"), id="environment"),
        param("", {"dotenv": "LOG_LEVEL=error"}, Origin(".env", "LOG_LEVEL"), id=".env"),
        param("LOG_LEVEL=", {"dotenv": "LOG_LEVEL=error"}, Origin(".env", "LOG_LEVEL"), id="empty above .env"),
        param("", {"toml": "system.log_level = 'error'"}, Origin("taximeter.toml", "system.log_level"), id="toml"),
        param(
            "LOG_LEVEL=error",
            {"dotenv": "LOG_LEVEL=info", "toml": "system.log_level = 'debug'"},
            Origin("environment", "LOG_LEVEL"),
            id="the best of three",
        ),
    ],
)
def test_a_setting_remembers_where_it_came_from(
    tmp_path: Path, environ: str, files: dict[str, str], origin: Origin
) -> None:
    loaded = load(tmp_path, environ, **files)  # type: ignore[arg-type] # texts all
    assert (loaded.settings.log_level, loaded.origins["log_level"]) == ("error", origin)


def test_toml_values_may_have_their_own_types(tmp_path: Path) -> None:
    toml = "[system]\ntag_keys = ['a', 'b']\nmax_calls = 5\ntime_scale = 0.5\nallow_insecure = true\nmax_retries = 1\n"
    loaded = load(tmp_path, toml=toml)
    assert (loaded.settings.tag_keys, loaded.settings.max_calls) == (("a", "b"), 5)
    assert (loaded.settings.allow_insecure, loaded.catalog.time_scale, loaded.catalog.retry.max_retries) == (
        True,
        0.5,
        1,
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        param(
            "TAXIMETER_LISTEN=0.0.0.0:50051",
            "TAXIMETER_LISTEN: 0.0.0.0:50051 is reachable from other machines: set TAXIMETER_TLS_CERT",
            id="plain beyond loopback",
        ),
        param(
            "TAXIMETER_TLS_CERT=c.pem",
            "TAXIMETER_TLS_CERT: TAXIMETER_TLS_CERT and TAXIMETER_TLS_KEY belong together",
            id="half of TLS",
        ),
        param(
            "TAXIMETER_TLS_CLIENT_CA=c.pem",
            "TAXIMETER_TLS_CLIENT_CA: needs TAXIMETER_TLS_CERT and TAXIMETER_TLS_KEY",
            id="client CA without TLS",
        ),
        param(
            "TAXIMETER_DASHBOARD_PORT=70000",
            "TAXIMETER_DASHBOARD_PORT: '70000' is not a whole number from 0 to 65535",
            id="port",
        ),
        param(
            "TAXIMETER_DASHBOARD_HOST=0.0.0.0",
            "TAXIMETER_DASHBOARD_HOST: 0.0.0.0 is reachable from other machines: set TAXIMETER_DASHBOARD_LOGIN to "
            "token or oidc, or TAXIMETER_ALLOW_INSECURE=true",
            id="dashboard for all",
        ),
        param(
            "TAXIMETER_DASHBOARD_LOGIN=oidc",
            "TAXIMETER_DASHBOARD_LOGIN: oidc needs TAXIMETER_DASHBOARD_SECRETS, a secrets.toml with [auth]",
            id="login without its secrets",
        ),
        param("TAXIMETER_GRACE=soon", "TAXIMETER_GRACE: 'soon' is not a duration like 10s, 5m or 7d", id="duration"),
        param(
            "TAXIMETER_MAX_MESSAGE=0", "TAXIMETER_MAX_MESSAGE: '0' is not a size like 65536, 16MiB or 1GB", id="size"
        ),
        param(
            "TAXIMETER_TIME_SCALE=nan",
            "TAXIMETER_TIME_SCALE: 'nan' is not a number from 0.0001 to 1000",
            id="not a number",
        ),
        param(
            "LOG_LEVEL=loud",
            "LOG_LEVEL: 'loud' is none of debug, info, warning, error, trace, warn, critical, fatal",
            id="level",
        ),
        param(
            "TAXIMETER_TRACE_URL=http://j/trace",
            "TAXIMETER_TRACE_URL: 'http://j/trace' is not a URL like http://localhost:16686/trace/{trace_id}",
            id="trace URL without a place for the id",
        ),
        param(f"{CAPTURE}=true", f"{CAPTURE}: content is not captured", id="content"),
    ],
)
def test_a_wrong_setting_is_an_error_that_says_what_to_do(tmp_path: Path, environ: str, said: str) -> None:
    found = errors(tmp_path, environ)
    assert (len(found), found[0][: len(said)]) == (1, said)


@pytest.mark.parametrize("more", ["TAXIMETER_ALLOW_INSECURE=1", "TAXIMETER_TLS_CERT=c TAXIMETER_TLS_KEY=k"])
def test_listening_beyond_loopback_can_be_allowed(tmp_path: Path, more: str) -> None:
    assert load(tmp_path, f"TAXIMETER_LISTEN=0.0.0.0:50051 {more}").settings.listen == "0.0.0.0:50051"


def test_the_catalogue_carries_what_calls_need(tmp_path: Path) -> None:
    environ = "TAXIMETER_TIME_SCALE=0.01 TAXIMETER_DEFAULT_DEADLINE=5s TAXIMETER_TAG_KEYS=a TAXIMETER_MAX_ANSWER=1KiB"
    catalog = load(tmp_path, environ).catalog
    assert (catalog.time_scale, catalog.default_deadline_s) == (0.01, 5.0)
    assert (catalog.tag_keys, catalog.max_answer_bytes) == (frozenset({"a"}), 1024)


def test_the_breaker_is_as_it_is_set(tmp_path: Path) -> None:
    plain, strict = tmp_path / "plain", tmp_path / "strict"
    plain.mkdir()
    strict.mkdir()
    assert load(plain).catalog.breaker == BreakerPolicy()
    toml = "[system]\nbreaker_failures = 2\nbreaker_ratio = 0.25\nbreaker_window = '10s'\nbreaker_max_probe = '15s'\n"
    assert load(strict, toml=toml).catalog.breaker == replace(
        BreakerPolicy(), consecutive_failures=2, failure_ratio=0.25, window_s=10.0, max_probe_s=15.0
    )


def test_a_first_probe_later_than_the_latest_is_an_error(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "TAXIMETER_BREAKER_FIRST_PROBE=60s")
    assert error == "TAXIMETER_BREAKER_FIRST_PROBE: is longer than TAXIMETER_BREAKER_MAX_PROBE"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("off", 0.0), ("0", 0.0), ("never", 0.0), ("30s", 30.0), ("1m", 60.0)],
)
def test_intervals_can_be_switched_off(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(tmp_path, {"TAXIMETER_PROBE_INTERVAL": text}).settings.probe_interval_s == seconds


def test_a_provider_is_not_asked_more_often_than_each_second(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "TAXIMETER_PROBE_INTERVAL=10ms")
    assert error == "TAXIMETER_PROBE_INTERVAL: '10ms' is more often than every 1 s"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        param(
            "TAXIMETER_JWT_ISSUER=https://id.example",
            "TAXIMETER_JWT_ISSUER: needs TAXIMETER_JWT_AUDIENCE",
            id="an issuer without an audience",
        ),
        param("TAXIMETER_JWT_AUDIENCE=a", "TAXIMETER_JWT_AUDIENCE: needs TAXIMETER_JWT_ISSUER", id="no issuer"),
        param(
            "TAXIMETER_JWT_JWKS_URL=https://id.example/keys",
            "TAXIMETER_JWT_JWKS_URL: needs TAXIMETER_JWT_ISSUER",
            id="keys of nobody",
        ),
        param(
            "TAXIMETER_JWT_ISSUER=corp TAXIMETER_JWT_AUDIENCE=a",
            "TAXIMETER_JWT_ISSUER: is not a URL",
            id="an issuer that cannot be asked",
        ),
        param("TAXIMETER_JWT_ALGORITHMS=HS256", "TAXIMETER_JWT_ALGORITHMS: 'HS256' is none of", id="shared secrets"),
        param("TAXIMETER_JWT_ALGORITHMS=RS256,none", "TAXIMETER_JWT_ALGORITHMS: 'none' is none of", id="no signature"),
        param("TAXIMETER_JWT_DEFAULT_ROLE=auditor", "TAXIMETER_JWT_DEFAULT_ROLE: 'auditor' is none of", id="auditor"),
        param("TAXIMETER_LOCAL_ROLE=root", "TAXIMETER_LOCAL_ROLE: 'root' is none of", id="an unknown role"),
    ],
)
def test_what_is_set_of_callers_is_checked(tmp_path: Path, environ: str, said: str) -> None:
    found = errors(tmp_path, environ)
    assert (len(found), found[0][: len(said)]) == (1, said)


def test_an_issuer_is_taken_to_the_letter(tmp_path: Path) -> None:
    """Some end with a slash, and their tokens say so."""
    environ = "TAXIMETER_JWT_ISSUER=https://id.example/ TAXIMETER_JWT_AUDIENCE=taximeter"
    assert load(tmp_path, environ).settings.jwt_issuer == "https://id.example/"

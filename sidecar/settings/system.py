"""The settings of the processes themselves: variable > `.env` > [system] of taximeter.toml > the default here.

A plain dataclass with a reader a field: importing pydantic-settings alone takes 140 ms (docs/decisions/004).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from sidecar.settings import callers, units, webhook
from sidecar.settings.lookup import Lookup
from sidecar.settings.sources import BUILT_IN, Origin, Problems

MIB = 1 << 20
DAY_S = 86400.0
TAG_KEYS = ("team", "feature", "environment", "customer")
_LEVELS = {"trace": "debug", "warn": "warning", "critical": "error", "fatal": "error"}
"""Other programs' words for a level: LOG_LEVEL may be theirs too."""
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def _path(raw: object) -> Path:
    return Path(units.string(raw)).expanduser()


def _paths(raw: object) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in units.names(raw))


def _no_capture(raw: object) -> bool:
    if str(raw).strip().lower() not in ("false", "0", "no", "off", "no_content"):
        raise ValueError("content is not captured: it would stand in the journal; unset this variable")
    return False


def _log_level(raw: object) -> str:
    level = units.one_of("debug", "info", "warning", "error", *_LEVELS)(raw)
    return _LEVELS.get(level, level)


def _query_memory(raw: object) -> str:
    """As DuckDB reads it, which takes no number alone."""
    size = units.size_bytes(raw)
    return units.string(raw) if str(raw).strip()[-1].isalpha() else f"{size}B"


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a setting comes from."""

    variable: str
    read: Callable[[object], Any]
    """Its text, or the value in taximeter.toml, to what the setting holds. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `taximeter` runs with, explained in docs/configuration.md. Paths are absolute."""

    home: Annotated[Path, Spec("TAXIMETER_HOME", _path)] = Path()
    """platformdirs' data directory of the user."""
    listen: Annotated[str, Spec("TAXIMETER_LISTEN", units.address)] = "127.0.0.1:50051"
    """Empty: no TCP."""
    socket: Annotated[Path, Spec("TAXIMETER_SOCKET", _path)] = Path()
    """<home>/taximeter.sock."""
    allow_insecure: Annotated[bool, Spec("TAXIMETER_ALLOW_INSECURE", units.boolean)] = False
    tls_cert: Annotated[Path | None, Spec("TAXIMETER_TLS_CERT", _path)] = None
    tls_key: Annotated[Path | None, Spec("TAXIMETER_TLS_KEY", _path)] = None
    tls_client_ca: Annotated[Path | None, Spec("TAXIMETER_TLS_CLIENT_CA", _path)] = None
    local_role: Annotated[str, Spec("TAXIMETER_LOCAL_ROLE", units.one_of("viewer", "member", "admin"))] = "member"
    """Of callers over loopback that show no token."""
    require_token: Annotated[bool, Spec("TAXIMETER_REQUIRE_TOKEN", units.boolean)] = False
    """Over TCP, of loopback too; the unix socket is guarded by its file mode."""
    jwt_issuer: Annotated[str, Spec("TAXIMETER_JWT_ISSUER", units.string)] = ""
    """As its tokens name it, to the letter; empty: no tokens of an identity provider are taken."""
    jwt_audience: Annotated[str, Spec("TAXIMETER_JWT_AUDIENCE", units.string)] = ""
    jwt_jwks_url: Annotated[str, Spec("TAXIMETER_JWT_JWKS_URL", units.url)] = ""
    """Empty: where the issuer's /.well-known/openid-configuration says."""
    jwt_workspace_claim: Annotated[str, Spec("TAXIMETER_JWT_WORKSPACE_CLAIM", units.string)] = "workspace"
    jwt_role_claim: Annotated[str, Spec("TAXIMETER_JWT_ROLE_CLAIM", units.string)] = "role"
    jwt_default_role: Annotated[
        str, Spec("TAXIMETER_JWT_DEFAULT_ROLE", units.one_of("none", "viewer", "member", "admin"))
    ] = "none"
    """Of a token without the role claim; none: it is refused."""
    jwt_algorithms: Annotated[tuple[str, ...], Spec("TAXIMETER_JWT_ALGORITHMS", callers.algorithms)] = (
        "RS256",
        "ES256",
    )
    allow_private_urls: Annotated[bool, Spec("TAXIMETER_ALLOW_PRIVATE_URLS", units.boolean)] = False
    """Workspaces may name this machine and private networks as the addresses of their keys."""
    dashboard_host: Annotated[str, Spec("TAXIMETER_DASHBOARD_HOST", units.string)] = "127.0.0.1"
    dashboard_port: Annotated[int, Spec("TAXIMETER_DASHBOARD_PORT", units.port)] = 8501
    dashboard_login: Annotated[str, Spec("TAXIMETER_DASHBOARD_LOGIN", units.one_of("none", "token", "oidc"))] = "none"
    """How people sign in; none: whoever reaches it sees all workspaces."""
    dashboard_secrets: Annotated[Path | None, Spec("TAXIMETER_DASHBOARD_SECRETS", _path)] = None
    """Streamlit's secrets.toml, with [auth]: for oidc."""
    trace_url: Annotated[str, Spec("TAXIMETER_TRACE_URL", units.trace_url)] = ""
    """Where the dashboard finds a trace, with "{trace_id}" in it; empty: no links."""
    prometheus_host: Annotated[str, Spec("TAXIMETER_PROMETHEUS_HOST", units.string)] = "127.0.0.1"
    prometheus_port: Annotated[int | None, Spec("TAXIMETER_PROMETHEUS_PORT", units.port)] = None
    control_url: Annotated[str, Spec("TAXIMETER_CONTROL_URL", units.control_url)] = field(default="", repr=False)
    """<home>/control.db. PostgreSQL's may hold a password: shown by `units.without_password` only."""
    alert_webhook: Annotated[str, Spec("TAXIMETER_ALERT_WEBHOOK", webhook.webhook_url)] = field(default="", repr=False)
    """Where budgets' alerts are told; empty: nowhere. Shown by `webhook.origin_of` only."""
    alert_webhook_secret: Annotated[str, Spec("TAXIMETER_ALERT_WEBHOOK_SECRET", webhook.webhook_secret)] = field(
        default="", repr=False
    )
    time_scale: Annotated[float, Spec("TAXIMETER_TIME_SCALE", units.decimal(0.0001, 1000))] = 1.0
    grace_s: Annotated[float, Spec("TAXIMETER_GRACE", units.duration_s)] = 10.0
    default_deadline_s: Annotated[float, Spec("TAXIMETER_DEFAULT_DEADLINE", units.duration_s)] = 180.0
    max_calls: Annotated[int, Spec("TAXIMETER_MAX_CALLS", units.integer(1, 1_000_000))] = 1000
    max_message_bytes: Annotated[int, Spec("TAXIMETER_MAX_MESSAGE", units.size_bytes)] = 16 * MIB
    max_answer_bytes: Annotated[int, Spec("TAXIMETER_MAX_ANSWER", units.size_bytes)] = 32 * MIB
    tag_keys: Annotated[tuple[str, ...], Spec("TAXIMETER_TAG_KEYS", units.names)] = TAG_KEYS
    max_tags: Annotated[int, Spec("TAXIMETER_MAX_TAGS", units.integer(0, 1000))] = 16
    replay_memory_bytes: Annotated[int, Spec("TAXIMETER_REPLAY_MEMORY", units.size_bytes)] = 64 * MIB
    """For answers that a repeated `request_id` may ask for again."""
    replay_keep_s: Annotated[float, Spec("TAXIMETER_REPLAY_KEEP", units.duration_s)] = 600.0
    remembered_requests: Annotated[int, Spec("TAXIMETER_REMEMBERED_REQUESTS", units.integer(1, 10_000_000))] = 1_000_000
    journal_segment_bytes: Annotated[int, Spec("TAXIMETER_JOURNAL_SEGMENT", units.size_bytes)] = 16 * MIB
    journal_keep_s: Annotated[float, Spec("TAXIMETER_JOURNAL_KEEP", units.duration_s)] = 7 * DAY_S
    journal_backlog_max_bytes: Annotated[int, Spec("TAXIMETER_JOURNAL_BACKLOG_MAX", units.size_bytes)] = 1024 * MIB
    ledger_keep_s: Annotated[float | None, Spec("TAXIMETER_LEDGER_KEEP", units.duration_s)] = None
    """None: for ever."""
    ingest_interval_s: Annotated[float, Spec("TAXIMETER_INGEST_INTERVAL", units.duration_s)] = 0.1
    prices_file: Annotated[Path | None, Spec("TAXIMETER_PRICES_FILE", _path)] = None
    price_table: Annotated[Path | None, Spec("TAXIMETER_PRICE_TABLE", _path)] = None
    providers_file: Annotated[Path | None, Spec("TAXIMETER_PROVIDERS_FILE", _path)] = None
    provider_types: Annotated[tuple[Path, ...], Spec("TAXIMETER_PROVIDER_TYPES", _paths)] = ()
    """Files with rows of providers that are not built in."""
    reload_interval_s: Annotated[float, Spec("TAXIMETER_RELOAD_INTERVAL", units.every_s(0.05))] = 1.0
    """How often the files are looked at; 0 = never."""
    probe_interval_s: Annotated[float, Spec("TAXIMETER_PROBE_INTERVAL", units.every_s(1.0))] = 10.0
    """Between two probes of a provider that is out of service; 0 = none."""
    breaker_failures: Annotated[int, Spec("TAXIMETER_BREAKER_FAILURES", units.integer(1, 1000))] = 5
    """In a row."""
    breaker_ratio: Annotated[float, Spec("TAXIMETER_BREAKER_RATIO", units.decimal(0.01, 1))] = 0.5
    breaker_min_calls: Annotated[int, Spec("TAXIMETER_BREAKER_MIN_CALLS", units.integer(1, 100_000))] = 10
    breaker_window_s: Annotated[float, Spec("TAXIMETER_BREAKER_WINDOW", units.duration_s)] = 30.0
    breaker_first_probe_s: Annotated[float, Spec("TAXIMETER_BREAKER_FIRST_PROBE", units.duration_s)] = 10.0
    breaker_max_probe_s: Annotated[float, Spec("TAXIMETER_BREAKER_MAX_PROBE", units.duration_s)] = 25.0
    query_timeout_s: Annotated[float, Spec("TAXIMETER_QUERY_TIMEOUT", units.duration_s)] = 30.0
    query_max_rows: Annotated[int, Spec("TAXIMETER_QUERY_MAX_ROWS", units.integer(1))] = 10_000_000
    query_memory: Annotated[str, Spec("TAXIMETER_QUERY_MEMORY", _query_memory)] = "1GB"
    embedded_model: Annotated[str, Spec("TAXIMETER_EMBEDDED_MODEL", units.one_of("auto", "never"))] = "auto"
    log_level: Annotated[str, Spec("LOG_LEVEL", _log_level)] = "info"
    log_format: Annotated[str, Spec("TAXIMETER_LOG_FORMAT", units.one_of("auto", "json", "console"))] = "auto"
    otlp_endpoint: Annotated[str | None, Spec("OTEL_EXPORTER_OTLP_ENDPOINT", units.url)] = None
    otlp_protocol: Annotated[str, Spec("OTEL_EXPORTER_OTLP_PROTOCOL", units.one_of("grpc", "http/protobuf"))] = "grpc"
    """Unset with an endpoint on port 4318: http/protobuf."""
    otlp_headers: Annotated[Mapping[str, str], Spec("OTEL_EXPORTER_OTLP_HEADERS", units.pairs)] = field(
        default_factory=dict, repr=False
    )
    service_name: Annotated[str, Spec("OTEL_SERVICE_NAME", units.string)] = "taximeter"
    resource_attributes: Annotated[Mapping[str, str], Spec("OTEL_RESOURCE_ATTRIBUTES", units.pairs)] = field(
        default_factory=dict, repr=False
    )
    trace_unsampled: Annotated[bool, Spec("TAXIMETER_TRACE_UNSAMPLED", units.boolean)] = False
    capture_content: Annotated[bool, Spec(CAPTURE, _no_capture)] = False


SPECS: Mapping[str, Spec] = {
    name: next(part for part in hint.__metadata__ if isinstance(part, Spec))
    for name, hint in get_type_hints(Settings, include_extras=True).items()
}
"""Attribute -> where it comes from."""


def read_settings(lookup: Lookup, cwd: Path) -> Settings:
    """Paths are taken from `cwd`."""
    found: dict[str, Any] = {}
    for attribute, spec in SPECS.items():
        if (value := lookup.read(attribute, spec.variable, spec.read)) is not None:
            found[attribute] = _from(cwd, value)
    settings = _complete(Settings(**found), lookup.origins)
    _check(settings, lookup.origins, lookup.problems)
    return settings


def _from(cwd: Path, value: Any) -> Any:
    if isinstance(value, Path):
        return cwd / value
    return tuple(_from(cwd, part) for part in value) if isinstance(value, tuple) else value


def _complete(settings: Settings, origins: Mapping[str, Origin]) -> Settings:
    """The defaults that follow from other values."""

    def unset(attribute: str) -> bool:
        return origins[attribute].place == BUILT_IN

    changes: dict[str, Any] = {}
    if unset("home"):
        changes["home"] = default_home()
    if unset("socket"):
        changes["socket"] = changes.get("home", settings.home) / "taximeter.sock"
    if unset("control_url"):
        changes["control_url"] = f"sqlite:///{changes.get('home', settings.home) / 'control.db'}"
    if unset("otlp_protocol") and settings.otlp_endpoint and urlsplit(settings.otlp_endpoint).port == 4318:
        changes["otlp_protocol"] = "http/protobuf"
    return dataclasses.replace(settings, **changes)


@cache
def default_home() -> Path:
    """Where this user's data belongs on this system."""
    from platformdirs import user_data_path

    return user_data_path("taximeter", appauthor=False)


def _check(settings: Settings, origins: Mapping[str, Origin], problems: Problems) -> None:
    """What is wrong only together."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        given = "tls_cert" if settings.tls_cert else "tls_key"
        problems.error(origins[given], "TAXIMETER_TLS_CERT and TAXIMETER_TLS_KEY belong together")
    if bool(settings.alert_webhook) != bool(settings.alert_webhook_secret):
        given = "alert_webhook" if settings.alert_webhook else "alert_webhook_secret"
        problems.error(origins[given], "TAXIMETER_ALERT_WEBHOOK and TAXIMETER_ALERT_WEBHOOK_SECRET belong together")
    if settings.breaker_first_probe_s > settings.breaker_max_probe_s:
        problems.error(origins["breaker_first_probe_s"], "is longer than TAXIMETER_BREAKER_MAX_PROBE")
    if settings.tls_client_ca and not settings.tls_cert:
        problems.error(origins["tls_client_ca"], "needs TAXIMETER_TLS_CERT and TAXIMETER_TLS_KEY")
    for variable, wrong in callers.wrong(settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks_url):
        problems.error(variable, wrong)
    if settings.dashboard_login == "oidc" and not settings.dashboard_secrets:
        problems.error(origins["dashboard_login"], "oidc needs TAXIMETER_DASHBOARD_SECRETS, a secrets.toml with [auth]")
    if settings.dashboard_login == "none" and not (
        units.is_loopback(f"{settings.dashboard_host}:0") or settings.allow_insecure
    ):
        problems.error(
            origins["dashboard_host"],
            f"{settings.dashboard_host} is reachable from other machines: set TAXIMETER_DASHBOARD_LOGIN to token or "
            "oidc, or TAXIMETER_ALLOW_INSECURE=true",
        )
    if settings.listen and not (units.is_loopback(settings.listen) or settings.tls_cert or settings.allow_insecure):
        problems.error(
            origins["listen"],
            f"{settings.listen} is reachable from other machines: set TAXIMETER_TLS_CERT and TAXIMETER_TLS_KEY, "
            "or TAXIMETER_ALLOW_INSECURE=true",
        )

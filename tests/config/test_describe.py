"""What `config show` prints, and that no secret is in it."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.settings import ConfigErrors, Loaded
from sidecar.settings.built_in import later
from sidecar.settings.describe import Line, describe, unusable
from sidecar.settings.load import load as load_settings
from tests.support.config import KEY, ROWS, WIRES, load

FIELDS = ("URL", "KEY", "SMART", "FAST", "ENABLED", "WEIGHT", "API_VERSION")
NAMES = ("OPENAI", "GROQ", "GEMINI", "GOOGLE", "OPENROUTER2", "AI21", "CUSTOM", "MY_LLM", "TEXT", "_", "1")
VARIABLES = [
    *(f"AI_{name}_{field}" for name in NAMES for field in FIELDS),
    *(
        f"AI_{task}_{field}"
        for task in ("TEXT", "IMAGE", "AGENT", "VIDEO_SLIDES")
        for field in ("PROVIDER", "MODEL", "FALLBACK_PROVIDER", "FALLBACK_MODEL")
    ),
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "SMART_LLM", "FAST_LLM", "GEMINI_BASE_URL", "OLLAMA_URL", "LOG_LEVEL"),
    *("AI_ROTATION", "AI_RETRY_FAILED", "AI_MAX_RETRIES", "AI_ENCRYPTION_KEY", "AI_WHATEVER"),
    *("TAXIMETER_LISTEN", "TAXIMETER_GRACE", "TAXIMETER_MAX_MESSAGE", "OTEL_EXPORTER_OTLP_HEADERS"),
    "TAXIMETER_CONTROL_URL",
]
LIKELY = [
    "true",
    "false",
    "0",
    "3",
    "-1",
    "openai",
    "groq",
    "ollama",
    "custom",
    "m",
    "http://h:1/v1",
    "random",
    "7d",
    "a=b",
]
VALUES = st.one_of(st.sampled_from(LIKELY), st.text(max_size=20))
ENVIRONS = st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=12)
SECRETS = st.text(string.ascii_letters + string.digits + "-_!", min_size=30, max_size=60)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_every_value_comes_with_its_origin(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "AI_OPENAI_KEY=KEY AI_ROTATION=random",
        dotenv="TAXIMETER_JOURNAL_KEEP=2d\n",
        toml="[providers.openai]\nsmart = 'm'\n[aliases.mine]\nchain = ['openai/x']\n",
    )
    lines = describe(loaded)
    for line in (
        Line("system", "TAXIMETER_LISTEN", "127.0.0.1:50051", "built-in"),
        Line("system", "TAXIMETER_JOURNAL_KEEP", "172800s", "TAXIMETER_JOURNAL_KEEP in .env"),
        Line("system", "AI_ROTATION", "random", "AI_ROTATION"),
        Line("providers", "openai.state", "usable", "built-in"),
        Line("providers", "openai.key", "sk-...cdef", "AI_OPENAI_KEY"),
        Line("providers", "openai.smart", "m", "taximeter.toml: providers.openai.smart"),
        Line("aliases", "smart", "random: openai/m", "built-in"),
        Line("aliases", "mine", "failover: openai/x", "taximeter.toml: aliases.mine"),
    ):
        assert line in lines


def test_providers_that_nobody_spoke_of_are_not_shown(tmp_path: Path) -> None:
    shown = {
        line.name.split(".")[0] for line in describe(load(tmp_path, "AI_GROQ_KEY=KEY")) if line.section == "providers"
    }
    assert shown == {"groq"}


def test_the_unusable_are_listed_with_their_reason(tmp_path: Path) -> None:
    loaded = load(tmp_path, "AI_OPENAI_SMART=m AI_GROQ_KEY=KEY")
    assert unusable(loaded) == [("openai", "AI_OPENAI_KEY is not set")]
    assert Line("providers", "openai.state", "AI_OPENAI_KEY is not set", "built-in") in describe(loaded)


def test_an_alias_that_cannot_work_says_so(tmp_path: Path) -> None:
    loaded = load(tmp_path, "AI_IMAGE_PROVIDER=ollama AI_IMAGE_MODEL=x")
    text = "failover: ollama/x - cannot work: Ollama does not offer image generation"
    assert Line("aliases", "image", text, "AI_IMAGE_PROVIDER") in describe(loaded)


def outcome(environ: dict[str, str], folder: Path) -> Loaded | ConfigErrors:
    try:
        return load_settings(environ, folder, WIRES, ROWS)
    except ConfigErrors as failed:
        return failed


@quick
@given(environ=ENVIRONS)
def test_any_environment_loads_or_says_what_is_wrong(tmp_path: Path, environ: dict[str, str]) -> None:
    loaded = outcome(environ, tmp_path)
    if isinstance(loaded, ConfigErrors):
        assert all(error.partition(":")[0] for error in loaded.errors)
        return
    describe(loaded)
    accounts = {*loaded.catalog.accounts, *later()}
    for alias in loaded.catalog.aliases.values():
        assert alias.routes
        assert all(route.target.provider in accounts for route in alias.routes)


@quick
@given(environ=ENVIRONS, variable=st.sampled_from(["AI_OPENAI_SMART", "AI_GROQ_FAST", "AI_CUSTOM_SMART"]))
def test_a_variable_of_the_environment_is_never_overruled(
    tmp_path: Path, environ: dict[str, str], variable: str
) -> None:
    """Whatever else is set, an account's own model is the one used."""
    _, name, field = variable.lower().split("_")
    loaded = outcome({**environ, variable: "chosen"}, tmp_path)
    assert isinstance(loaded, ConfigErrors) or loaded.catalog.accounts[name].default_models[field] == "chosen"


@quick
@given(secret=SECRETS, variable=st.sampled_from(VARIABLES), environ=ENVIRONS)
def test_a_secret_is_told_nowhere(tmp_path: Path, secret: str, variable: str, environ: dict[str, str]) -> None:
    """Not even when it was put into the wrong variable, unless that one is a name of something."""
    loaded = outcome({**environ, variable: secret}, tmp_path)
    if isinstance(loaded, ConfigErrors):
        assert secret not in str(loaded)
        assert secret not in repr(loaded)
        return
    assert secret not in "".join(loaded.warnings)
    if variable.endswith("_KEY") or "HEADERS" in variable:
        assert secret not in repr(loaded)
        assert not any(secret in part for line in describe(loaded) for part in line)


@pytest.mark.parametrize(("key", "shown"), [(KEY, "sk-...cdef"), ("short", "...")])
def test_a_key_is_shown_by_its_ends_only(tmp_path: Path, key: str, shown: str) -> None:
    assert Line("providers", "openai.key", shown, "AI_OPENAI_KEY") in describe(load(tmp_path, {"AI_OPENAI_KEY": key}))


@quick
@given(secret=SECRETS, place=st.sampled_from(["//u:{}@h/d", "//u:{}@/d?host=/s", "//u@h:1/d?sslmode=x&password={}"]))
def test_the_control_store_is_shown_without_its_password(tmp_path: Path, secret: str, place: str) -> None:
    loaded = load(tmp_path, {"TAXIMETER_CONTROL_URL": f"postgresql:{place.format(secret)}"})
    shown = next(line.value for line in describe(loaded) if line.name == "TAXIMETER_CONTROL_URL")
    assert shown in ("postgresql://u@h/d", "postgresql://u@/d", "postgresql://u@h:1/d")
    assert secret not in repr(loaded)


@pytest.mark.parametrize(
    "url", ["postgresql://u:p/w@h/d", "mysql://h/d", "sqlite://x.db", "postgresql://u:p@w@h/d", "d.db"]
)
def test_what_is_no_control_store_is_refused_unseen(tmp_path: Path, url: str) -> None:
    refused = outcome({"TAXIMETER_CONTROL_URL": url}, tmp_path)
    assert isinstance(refused, ConfigErrors)
    assert "neither sqlite:///<path> nor postgresql://" in str(refused)
    assert url not in str(refused)

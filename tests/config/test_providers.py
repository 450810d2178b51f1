"""AI_<NAME>_* and the vendors' own variables: which accounts they make, and who joins the pools."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.call import Strategy
from tests.support.config import KEY, chain, errors, load

param = pytest.param


@pytest.mark.parametrize(
    ("environ", "account", "expected"),
    [
        param("AI_OPENAI_KEY=KEY", "openai", "https://api.openai.com/v1 o-smart o-fast", id="defaults of the row"),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_URL=https://x.test/v1/ AI_OPENAI_SMART=a AI_OPENAI_FAST=b",
            "openai",
            "https://x.test/v1 a b",
            id="every field given",
        ),
        param(
            "AI_OPENAI_URL= AI_OPENAI_KEY=KEY",
            "openai",
            "https://api.openai.com/v1 o-smart o-fast",
            id="blank is unset",
        ),
        param(
            "AI_CUSTOM_URL=http://h:1/v1 AI_CUSTOM_KEY=KEY AI_CUSTOM_SMART=m",
            "custom",
            "http://h:1/v1 m ",
            id="a name that no row knows",
        ),
        param(
            "AI_MY_LLM_URL=http://h:1/v1 AI_MY_LLM_FAST=m",
            "my-llm",
            "http://h:1/v1  m",
            id="needs no key, has two words",
        ),
        param(
            "AI_OPENROUTER2_KEY=KEY",
            "openrouter2",
            "https://openrouter.ai/api/v1 r-smart r-fast",
            id="second account",
        ),
        param(
            "AI_AI21_KEY=KEY",
            "ai21",
            "https://api.ai21.com/v1 j-smart j-fast",
            id="AI21 is a provider, not an account",
        ),
        param(
            "AI_GOOGLE_KEY=KEY",
            "gemini",
            "https://generativelanguage.googleapis.com g-smart g-fast",
            id="google is gemini",
        ),
        param(
            "OPENAI_API_KEY=KEY OPENAI_BASE_URL=https://x.test/v1 SMART_LLM=a FAST_LLM=b",
            "openai",
            "https://x.test/v1 a b",
            id="legacy",
        ),
        param(
            "GOOGLE_AI_API_KEY=KEY",
            "gemini",
            "https://generativelanguage.googleapis.com g-smart g-fast",
            id="google's key",
        ),
        param(
            "TOGETHER_API_KEY=KEY TOGETHER_BASE_URL=https://t.test/v1",
            "together",
            "https://t.test/v1 t-smart t-fast",
            id="together",
        ),
        param(
            "OLLAMA_URL=http://localhost:11434",
            "ollama",
            "http://localhost:11434 l-smart l-fast",
            id="ollama without /v1",
        ),
        param("OLLAMA_BASE_URL=http://o:1/v1/", "ollama", "http://o:1 l-smart l-fast", id="ollama with /v1"),
        param(
            "OPENAI_COMPATIBLE_BASE_URL=https://y.test/v1 OPENAI_COMPATIBLE_API_KEY=KEY",
            "openai-compatible",
            "https://y.test/v1  ",
            id="openai-compatible",
        ),
    ],
)
def test_variables_make_an_account(tmp_path: Path, environ: str, account: str, expected: str) -> None:
    found = load(tmp_path, environ).catalog.accounts[account]
    models = found.default_models
    assert f"{found.base_url} {models.get('smart', '')} {models.get('fast', '')}" == expected
    assert found.usable
    assert [key.secret for key in found.keys] == [KEY] * ("=KEY" in environ)


def test_a_key_is_known_by_its_variable(tmp_path: Path) -> None:
    key = load(tmp_path, "AI_OPENAI_KEY=KEY").catalog.accounts["openai"].keys[0]
    assert (key.key_id, key.owner) == ("AI_OPENAI_KEY", "platform")


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        param(
            "AI_OPENAI_KEY=KEY OPENAI_API_KEY=sk-other",
            "AI_OPENAI_KEY: used; OPENAI_API_KEY differs and is ignored",
            id="key",
        ),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_SMART=a SMART_LLM=b",
            "AI_OPENAI_SMART: used; SMART_LLM differs and is ignored",
            id="model",
        ),
        param("AI_OPENAI_KEY=KEY OPENAI_API_KEY=KEY", "", id="the same value"),
    ],
)
def test_the_own_variable_wins_field_by_field(tmp_path: Path, environ: str, warned: str) -> None:
    loaded = load(tmp_path, environ)
    assert loaded.catalog.accounts["openai"].keys[0].secret == KEY
    assert "\n".join(loaded.warnings) == warned


def test_what_the_own_variables_leave_open_the_vendors_fill(tmp_path: Path) -> None:
    loaded = load(tmp_path, "AI_OPENAI_SMART=a OPENAI_API_KEY=KEY FAST_LLM=b")
    account = loaded.catalog.accounts["openai"]
    assert (account.keys[0].secret, account.default_models["smart"], account.default_models["fast"]) == (KEY, "a", "b")


@pytest.mark.parametrize(
    ("environ", "smart", "fast"),
    [
        param(
            "AI_OPENAI_KEY=KEY AI_GROQ_KEY=KEY",
            ["openai/o-smart", "groq/q-smart"],
            ["openai/o-fast", "groq/q-fast"],
            id="all that are configured",
        ),
        param(
            "AI_OPENAI_KEY=KEY GROQ_API_KEY=KEY",
            ["openai/o-smart"],
            ["openai/o-fast"],
            id="a bare key stays out",
        ),
        param(
            "GROQ_API_KEY=KEY OPENAI_API_KEY=KEY",
            ["openai/o-smart", "groq/q-smart"],
            ["openai/o-fast", "groq/q-fast"],
            id="unless there is nothing else",
        ),
        param(
            "AI_GROQ_KEY=KEY OPENAI_API_KEY=KEY SMART_LLM=a",
            ["openai/a", "groq/q-smart"],
            ["groq/q-fast"],
            id="SMART_LLM makes it no longer bare",
        ),
        param(
            "AI_GROQ_KEY=KEY AI_GROQ_ENABLED=false OPENAI_API_KEY=KEY",
            ["groq/q-smart", "openai/o-smart"],
            ["groq/q-fast", "openai/o-fast"],
            id="a disabled provider is not something else",
        ),
        param(
            "AI_CUSTOM_URL=http://h/v1 AI_CUSTOM_SMART=m",
            ["custom/m"],
            ["openai/o-fast", "gemini/g-fast"],
            id="a pool without members names what is wanted",
        ),
        param(
            {},
            ["openai/o-smart", "anthropic/c-smart", "zhipu/z-smart"],
            ["openai/o-fast", "gemini/g-fast"],
            id="nothing configured",
        ),
    ],
)
def test_who_is_in_the_pools(tmp_path: Path, environ: str, smart: list[str], fast: list[str]) -> None:
    loaded = load(tmp_path, environ)
    assert (chain(loaded, "smart"), chain(loaded, "fast")) == (smart, fast)


def test_dotenv_orders_the_pool(tmp_path: Path) -> None:
    loaded = load(tmp_path, "AI_OPENAI_KEY=KEY", dotenv=f"AI_ZED_URL=http://z/v1\nAI_ZED_SMART=z\nAI_GROQ_KEY={KEY}\n")
    assert chain(loaded, "smart") == ["zed/z", "groq/q-smart", "openai/o-smart"]


def test_weights_reach_the_pool(tmp_path: Path) -> None:
    environ = "AI_OPENAI_KEY=KEY AI_OPENAI_WEIGHT=3 AI_GROQ_KEY=KEY AI_GROQ_WEIGHT=0 AI_ROTATION=weighted"
    alias = load(tmp_path, environ).catalog.aliases["smart"]
    assert (alias.strategy, [route.weight for route in alias.routes]) == (Strategy.WEIGHTED, [3, 0])


@pytest.mark.parametrize("strategy", list(Strategy))
def test_rotation_governs_the_pools_and_what_follows_them(tmp_path: Path, strategy: Strategy) -> None:
    aliases = load(tmp_path, {"AI_OPENAI_KEY": KEY, "AI_ROTATION": strategy.upper()}).catalog.aliases
    assert {aliases[name].strategy for name in ("smart", "fast", "text", "content-analysis")} == {strategy}
    assert aliases["default-writer"].strategy is Strategy.FAILOVER


@pytest.mark.parametrize(
    ("environ", "retries", "goes_on"),
    [
        param("", 3, True, id="defaults"),
        param("AI_MAX_RETRIES=0 AI_RETRY_FAILED=false", 0, False, id="both given"),
    ],
)
def test_the_retry_policy(tmp_path: Path, environ: str, retries: int, goes_on: bool) -> None:
    retry = load(tmp_path, environ).catalog.retry
    assert (retry.max_retries, retry.retry_failed) == (retries, goes_on)


@pytest.mark.parametrize(
    ("environ", "account", "why"),
    [
        param("", "anthropic", "ANTHROPIC_API_KEY is not set", id="nothing said: the vendor's variable"),
        param(
            "AI_AZURE_URL=https://a.test AI_AZURE_SMART=d",
            "azure",
            "AI_AZURE_KEY is not set",
            id="own variables: the own one",
        ),
        param("AI_OPENROUTER2_SMART=m", "openrouter2", "AI_OPENROUTER2_KEY is not set", id="second account"),
        param("AI_CUSTOM_SMART=m", "custom", "AI_CUSTOM_URL is not set", id="no row, no URL"),
        param("AI_AZURE_KEY=KEY AI_AZURE_SMART=d", "azure", "AI_AZURE_URL is not set", id="a row without URL"),
        param("", "ollama", "OLLAMA_BASE_URL is not set", id="a server on this machine that nobody spoke of"),
        param(
            "OPENAI_COMPATIBLE_API_KEY=KEY",
            "openai-compatible",
            "OPENAI_COMPATIBLE_BASE_URL is not set",
            id="a key without a server",
        ),
    ],
)
def test_what_is_missing_makes_it_unusable(tmp_path: Path, environ: str, account: str, why: str) -> None:
    assert load(tmp_path, environ).catalog.accounts[account].unusable == why


def test_a_wire_that_is_not_built_makes_it_unusable(tmp_path: Path) -> None:
    loaded = load(tmp_path, "ANTHROPIC_API_KEY=KEY", wires=frozenset({"openai"}))
    assert loaded.catalog.accounts["anthropic"].unusable == "the anthropic wire is not available in this version"
    assert "ANTHROPIC_API_KEY: provider anthropic cannot be used" in loaded.warnings[0]


@pytest.mark.parametrize(
    ("url", "wire", "expected", "warned"),
    [
        param("https://g.test/openai/", "openai", "https://g.test/v1beta/openai", True, id="without /v1beta"),
        param("https://g.test/v1beta/openai", "openai", "https://g.test/v1beta/openai", False, id="with /v1beta"),
        param("https://g.test", "gemini", "https://g.test", False, id="the native API"),
    ],
)
def test_geminis_openai_door(tmp_path: Path, url: str, wire: str, expected: str, warned: bool) -> None:
    loaded = load(tmp_path, {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": url})
    account = loaded.catalog.accounts["gemini"]
    assert (account.wire, account.base_url, bool(loaded.warnings)) == (wire, expected, warned)


def test_azures_api_version_reaches_the_wire(tmp_path: Path) -> None:
    environ = "AI_AZURE_URL=https://a.test AI_AZURE_KEY=KEY AI_AZURE_SMART=d AI_AZURE_API_VERSION=2024-10-21"
    assert load(tmp_path, environ).catalog.accounts["azure"].options["api_version"] == "2024-10-21"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        param("AI_GATEWAY_API_KEY=x", "AI_GATEWAY_API_KEY: not known here, ignored", id="a stranger's key"),
        param("AI_SEARCH_URL=http://x", "AI_SEARCH_URL: not known here, ignored", id="a stranger's URL"),
        param("AI_ROTATOIN=random", "did you mean AI_ROTATION?", id="misspelt setting"),
        param("AI_OPENIA_KEY=KEY", "did you mean AI_OPENAI_KEY?", id="misspelt provider"),
        param("AI_OPENAI_API_KEY=KEY", "did you mean AI_OPENAI_KEY?", id="a habit from elsewhere"),
        param("AI_TEXT_KEY=KEY", "AI_TEXT_KEY: not known here, ignored", id="a task is no provider"),
        param("TAXIMETER_HOEM=/x", "did you mean TAXIMETER_HOME?", id="our own prefix"),
    ],
)
def test_an_unknown_variable_warns_and_does_not_stop_the_start(tmp_path: Path, environ: str, said: str) -> None:
    loaded = load(tmp_path, environ)
    assert len(loaded.warnings) == 1
    assert said in loaded.warnings[0]
    assert not any(account.usable for account in loaded.catalog.accounts.values())


@pytest.mark.parametrize(
    "variable",
    ["AI_ENCRYPTION_KEY", "TAXIMETER_ADDRESS", "TAXIMETER_TOKEN", "TAXIMETER_SERVICE_HOST", "AI_GW_PORT_80_TCP_ADDR"],
)
def test_variables_that_others_read_are_no_surprise(tmp_path: Path, variable: str) -> None:
    assert load(tmp_path, f"{variable}=tcp://10.0.0.1:80").warnings == ()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        param(
            "AI_CUSTOM_URL=http://h/v1 AI_CUSTOM_KEY=KEY",
            "AI_CUSTOM_SMART: is not set, and custom has no default model",
            id="no model",
        ),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_WEIGHT=-1",
            "AI_OPENAI_WEIGHT: '-1' is not a whole number",
            id="weight",
        ),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_ENABLED=maybe",
            "AI_OPENAI_ENABLED: 'maybe' is neither true nor false",
            id="enabled",
        ),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_URL=ftp://x",
            "AI_OPENAI_URL: the value is not an http or https URL",
            id="scheme",
        ),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_URL=https://u:p@x",
            "AI_OPENAI_URL: the URL holds credentials",
            id="credentials in the URL",
        ),
        param("AI_OPENAI_KEY=sk\u00e4", "AI_OPENAI_KEY: the key holds characters", id="a key that is none"),
        param(
            "AI_ROTATION=robin",
            "AI_ROTATION: 'robin' is none of round-robin, random, weighted, failover",
            id="rotation",
        ),
        param("AI_MAX_RETRIES=many", "AI_MAX_RETRIES: 'many' is not a whole number", id="retries"),
        param("AI_RETRY_FAILED=perhaps", "AI_RETRY_FAILED: 'perhaps' is neither true nor false", id="retry failed"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_variable(tmp_path: Path, environ: str, said: str) -> None:
    assert [error for error in errors(tmp_path, environ) if said in error]


def test_all_errors_are_told_together(tmp_path: Path) -> None:
    environ = "AI_ROTATION=x AI_MAX_RETRIES=x TAXIMETER_LISTEN=x AI_TEXT_PROVIDER=nobody"
    found = errors(
        tmp_path, environ, toml="[system]\nlisten_on = 1\n[aliases.mine]\nstrategy = 'random'\n", document={"x": 1}
    )
    named = {error.split(":")[0] for error in found if not error.startswith(("taximeter.toml", "providers.json"))}
    assert named == {pair.partition("=")[0] for pair in environ.split()}
    assert len([error for error in found if error.startswith(("taximeter.toml", "providers.json"))]) == 3


def test_an_error_in_dotenv_says_so(tmp_path: Path) -> None:
    assert errors(tmp_path, dotenv="AI_ROTATION=x\n") == (
        "AI_ROTATION in .env: 'x' is none of round-robin, random, weighted, failover",
    )


@pytest.mark.parametrize(
    ("dotenv", "key"),
    [
        param(f'AI_OPENAI_KEY="{KEY}"  # mine\n', KEY, id="quotes and a comment"),
        param(f"export AI_OPENAI_KEY={KEY}\n", KEY, id="export"),
        param("AI_OPENAI_KEY='a$b${HOME}'\n", "a$b${HOME}", id="nothing is put in"),
        param(f"AI_OPENAI_KEY=first\nAI_OPENAI_KEY={KEY}\n", KEY, id="the last of two"),
    ],
)
def test_dotenv_is_read_as_written(tmp_path: Path, dotenv: str, key: str) -> None:
    assert load(tmp_path, dotenv=dotenv).catalog.accounts["openai"].keys[0].secret == key


def test_a_broken_line_of_dotenv_is_an_error_with_its_number(tmp_path: Path) -> None:
    assert errors(tmp_path, dotenv="LOG_LEVEL=info\nhello world\n") == (".env: line 2 is not NAME=value",)

"""By which API an account is spoken to: chat completions or Responses, and Azure by whatever is pasted."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.catalog import Account
from sidecar.providers.registry import built
from sidecar.settings.describe import describe
from tests.support.config import errors
from tests.support.config import load as load_with

ALL = frozenset(built())
KEYED = "AI_OPENAI_KEY=KEY"
AZURE = "AI_AZURE_KEY=KEY AI_AZURE_SMART=d"


def account(folder: Path, name: str, environ: str, **files: str) -> Account:
    return load_with(folder, environ, wires=ALL, rows=None, **files).catalog.accounts[name]


@pytest.mark.parametrize(
    ("name", "environ", "wire"),
    [
        pytest.param("openai", KEYED, "openai", id="chat completions unless told"),
        pytest.param("openai", f"{KEYED} AI_OPENAI_API=responses", "openai-responses", id="responses"),
        pytest.param("openai", f"{KEYED} AI_OPENAI_API=Chat", "openai", id="chat by name"),
        pytest.param("xai", "AI_XAI_KEY=KEY AI_XAI_API=responses", "openai-responses", id="whoever speaks the wire"),
        pytest.param(
            "mine",
            "AI_MINE_URL=http://h:1/v1 AI_MINE_SMART=m AI_MINE_API=responses",
            "openai-responses",
            id="any server",
        ),
        pytest.param(
            "perplexity", "AI_PERPLEXITY_KEY=KEY", "perplexity-responses", id="responses where the row says so"
        ),
        pytest.param(
            "perplexity", "AI_PERPLEXITY_KEY=KEY AI_PERPLEXITY_API=chat", "openai", id="chat where it does not"
        ),
        pytest.param("azure", f"{AZURE} AI_AZURE_URL=https://a.test", "azure", id="azure"),
        pytest.param(
            "azure",
            f"{AZURE} AI_AZURE_URL=https://a.test AI_AZURE_API=responses",
            "azure-responses",
            id="azure responses",
        ),
    ],
)
def test_the_wire_of_an_account(tmp_path: Path, name: str, environ: str, wire: str) -> None:
    found = account(tmp_path, name, environ)
    assert (found.wire, found.unusable) == (wire, "")


def test_a_file_can_say_it(tmp_path: Path) -> None:
    toml = '[providers.openai]\napi = "responses"'
    assert account(tmp_path, "openai", "OPENAI_API_KEY=KEY", toml=toml).wire == "openai-responses"


def test_config_show_says_which_and_since_when(tmp_path: Path) -> None:
    environ = f"{AZURE} AI_AZURE_URL=https://a.test AI_AZURE_API=responses AI_AZURE_API_VERSION=preview"
    lines = describe(load_with(tmp_path, environ, wires=ALL, rows=None))
    found = {line.name: (line.value, line.origin) for line in lines if line.section == "providers"}
    assert found["azure.api"] == ("responses", "AI_AZURE_API")
    assert found["azure.api_version"] == ("preview", "AI_AZURE_API_VERSION")


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        pytest.param(
            f"{KEYED} AI_OPENAI_API=soap", "AI_OPENAI_API: 'soap' is none of chat, responses", id="no such API"
        ),
        pytest.param(
            "AI_ANTHROPIC_KEY=KEY AI_ANTHROPIC_API=responses",
            "AI_ANTHROPIC_API: Anthropic has no Responses API",
            id="no such API there",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, environ: str, mistake: str) -> None:
    (found,) = errors(tmp_path, environ, wires=ALL, rows=None)
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        pytest.param("gpt-5.4", "openai", id="gpt-5.4"),
        pytest.param("o3", "openai", id="o3"),
        pytest.param("o3-pro", "openai-responses", id="o3-pro"),
        pytest.param("o1-pro-2025-03-19", "openai-responses", id="o1-pro, dated"),
        pytest.param("gpt-5.2-pro", "openai-responses", id="gpt-5.2-pro"),
        pytest.param("gpt-5.3-codex", "openai-responses", id="codex"),
        pytest.param("o4-mini-deep-research", "openai-responses", id="deep research"),
    ],
)
def test_a_model_that_only_responses_know_goes_there_untold(tmp_path: Path, model: str, wire: str) -> None:
    assert account(tmp_path, "openai", KEYED).wire_for(model) == wire


def test_an_account_that_says_chat_means_it(tmp_path: Path) -> None:
    assert account(tmp_path, "openai", f"{KEYED} AI_OPENAI_API=chat").wire_for("o3-pro") == "openai"


def test_another_server_is_believed_to_have_no_such_model(tmp_path: Path) -> None:
    environ = "AI_MINE_URL=http://h:1/v1 AI_MINE_SMART=m"
    assert account(tmp_path, "mine", environ).wire_for("gpt-5-codex") == "openai"


PASTED = "https://a.test/openai/deployments/d/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("environ", "url", "version"),
    [
        pytest.param("AI_AZURE_URL=https://a.test/", "https://a.test", None, id="plain"),
        pytest.param(f"AI_AZURE_URL={PASTED}", PASTED, None, id="the portal's address with its query"),
        pytest.param("AZURE_OPENAI_ENDPOINT=https://a.test", "https://a.test", None, id="its client's variable"),
        pytest.param("AZURE_API_BASE=https://a.test", "https://a.test", None, id="another client's"),
        pytest.param(
            "AZURE_OPENAI_ENDPOINT=https://a.test OPENAI_API_VERSION=2024-06-01",
            "https://a.test",
            "2024-06-01",
            id="version",
        ),
        pytest.param(
            "AI_AZURE_URL=https://a.test AI_AZURE_API_VERSION=2025-01-01 OPENAI_API_VERSION=2024-06-01",
            "https://a.test",
            "2025-01-01",
            id="ours before theirs",
        ),
    ],
)
def test_azures_address(tmp_path: Path, environ: str, url: str, version: str | None) -> None:
    found = account(tmp_path, "azure", f"{AZURE} {environ}")
    assert (found.base_url, found.options.get("api_version"), found.unusable) == (url, version, "")


def test_its_models_are_deployments(tmp_path: Path) -> None:
    assert account(tmp_path, "azure", f"{AZURE} AI_AZURE_URL=https://a.test").deployments


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://a.test/openai?x=1", id="another query"),
        pytest.param("https://u:p@a.test?api-version=2024-10-21", id="credentials"),
    ],
)
def test_a_wrong_address_is_an_error_all_the_same(tmp_path: Path, url: str) -> None:
    assert errors(tmp_path, f"{AZURE} AI_AZURE_URL={url}", wires=ALL, rows=None)


def test_a_version_meant_for_another_program_makes_no_account(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, "OPENAI_API_VERSION=2024-06-01", wires=ALL, rows=None)
    assert loaded.warnings == ()
    assert "providers.azure.api_version" not in loaded.origins

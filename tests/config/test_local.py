"""The embedded model: when it is wanted, and what it stands behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar import local_model
from sidecar.core.call import Operation
from sidecar.settings import any_usable, with_local_model
from sidecar.settings.local import LOCAL_MODEL
from tests.support.config import chain, load

ALIASES = ("smart", "fast", "text", "agent", "video-slides", "default-writer", "fast-drafts", "code-assist")


@pytest.mark.parametrize(
    ("environ", "usable"),
    [
        pytest.param("", False, id="nothing"),
        pytest.param("AI_OPENAI_KEY=KEY", True, id="a key"),
        pytest.param("AI_OPENAI_KEY=KEY AI_OPENAI_ENABLED=false", False, id="a key that is switched off"),
        pytest.param("AI_TEXT_PROVIDER=anthropic", False, id="a task without its key"),
        pytest.param("OLLAMA_BASE_URL=http://localhost:11434", True, id="a server without a key"),
        pytest.param("AI_ENCRYPTION_KEY=KEY", False, id="another key"),
    ],
)
def test_whether_any_provider_is_usable(tmp_path: Path, environ: str, usable: bool) -> None:
    assert any_usable(load(tmp_path, environ)) is usable


def test_the_embedded_model_stands_behind_the_usual_aliases(tmp_path: Path) -> None:
    loaded = with_local_model(load(tmp_path), "http://127.0.0.1:9/v1/")
    account = loaded.catalog.accounts["local"]
    assert {chain(loaded, alias)[-1] for alias in ALIASES} == {f"local/{LOCAL_MODEL}"}
    others = {route.target.provider for alias in ALIASES for route in loaded.catalog.aliases[alias].routes[:-1]}
    assert not any(loaded.catalog.accounts[name].usable for name in others)
    assert not any(loaded.catalog.aliases[alias].unusable for alias in ALIASES)
    assert (account.usable, account.declared_price_zero, account.base_url) == (True, True, "http://127.0.0.1:9/v1")
    assert account.default_models["embedding"] == LOCAL_MODEL
    assert account.operations == {Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING}


def test_the_model_has_the_name_that_its_server_gives_it() -> None:
    assert LOCAL_MODEL == local_model.MODEL


def test_the_operators_own_aliases_stay_as_they_are(tmp_path: Path) -> None:
    loaded = with_local_model(load(tmp_path, toml="[aliases.mine]\nchain = ['openai/x']\n"), "http://127.0.0.1:9")
    assert chain(loaded, "mine") == ["openai/x"]


def test_once_a_provider_is_usable_the_aliases_are_its_own_and_the_model_can_still_be_named(tmp_path: Path) -> None:
    """A key that is put into `.env` while `up` runs counts at once."""
    loaded = with_local_model(load(tmp_path, dotenv="AI_OPENAI_KEY=sk-0123456789abcdef\n"), "http://127.0.0.1:9")
    assert chain(loaded, "smart") == ["openai/o-smart"]
    assert loaded.catalog.accounts["local"].usable

"""An account of the configuration as a workspace's own key opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.providers import registry
from sidecar.settings import load, opened, pool_slot

param = pytest.param


@pytest.mark.parametrize(
    ("name", "url", "wire", "address"),
    [
        param("openai", "", "openai", "https://api.openai.com/v1", id="its-own-address"),
        param("openai", "https://proxy.example/v1/", "openai", "https://proxy.example/v1", id="another"),
        param(
            "gemini", "https://x.example/v1beta/openai", "openai", "https://x.example/v1beta/openai", id="openai-door"
        ),
        param("anthropic", "https://x.example", "anthropic", "https://x.example", id="anthropic"),
        param("openai", "https://x.example/anthropic", "anthropic", "https://x.example/anthropic", id="anthropic-door"),
        param("vllm", "https://x.example", "openai", "https://x.example/v1", id="a-path-that-is-missing"),
        param(
            "perplexity", "https://x.example", "perplexity-responses", "https://x.example/v1", id="an-api-of-its-own"
        ),
    ],
)
def test_addresses(tmp_path: Path, name: str, url: str, wire: str, address: str) -> None:
    found = opened(load({}, tmp_path, registry.built()).catalog.accounts[name], url, registry.built())
    assert (found.wire, found.base_url, found.keys, found.unusable) == (wire, address, (), "")


@pytest.mark.parametrize(
    ("name", "wires", "words"),
    [
        param(
            "azure", registry.built(), "azure has no address of its own: add the key with its base URL", id="address"
        ),
        param("anthropic", ("openai",), "the anthropic wire is not available in this version", id="wire"),
        param("bedrock", ("openai",), "bedrock has no address of its own: add the key with its base URL", id="region"),
    ],
)
def test_what_is_missing_besides_the_key(tmp_path: Path, name: str, wires: tuple[str, ...], words: str) -> None:
    account = load({}, tmp_path, registry.built()).catalog.accounts[name]
    assert opened(account, "", wires).unusable == words


@pytest.mark.parametrize(
    ("name", "slot"),
    [param("smart", "smart", id="pool"), param("text", "smart", id="task"), param("image", "image", id="image"),
     param("post-generation", "fast", id="named"), param("code-assist", "", id="chain"), param("mine", "", id="own")],
)  # fmt: skip
def test_which_names_are_filled_by_default_models(name: str, slot: str) -> None:
    assert pool_slot(name) == slot

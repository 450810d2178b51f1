"""Which accounts a workspace has, and which keys open them."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import KeyScope
from sidecar.core.catalog import Account, Catalog
from sidecar.core.control import PlatformKeys, ProviderKey, Workspace
from tests.support.workspaces import control, key, seen, system

param = pytest.param
NEVER, FALLBACK, ALWAYS = PlatformKeys.NEVER, PlatformKeys.FALLBACK, PlatformKeys.ALWAYS


def of_acme(policy: PlatformKeys, *keys: ProviderKey, made: Catalog | None = None) -> Catalog:
    return seen(made or system("openai"), control(Workspace("acme", platform_keys=policy), *keys), "acme")


def opens(account: Account | None) -> list[str]:
    """By whose key, in order; "-": it cannot be used."""
    if account is None or not account.usable:
        return ["-"]
    return [each.key_id for each in account.keys]


@pytest.mark.parametrize(
    ("policy", "own", "at", "behind"),
    [
        param(NEVER, False, ["-"], ["-"], id="never-without-a-key"),
        param(NEVER, True, ["own"], ["-"], id="never-with-a-key"),
        param(FALLBACK, False, ["OPENAI_API_KEY"], ["OPENAI_API_KEY"], id="fallback-without-a-key"),
        param(FALLBACK, True, ["own"], ["OPENAI_API_KEY"], id="fallback-with-a-key"),
        param(ALWAYS, False, ["OPENAI_API_KEY"], ["-"], id="always-without-a-key"),
        param(ALWAYS, True, ["own", "OPENAI_API_KEY"], ["-"], id="always-with-a-key"),
    ],
)
def test_policy(policy: PlatformKeys, own: bool, at: list[str], behind: list[str]) -> None:
    found = of_acme(policy, *([key("acme", "openai", "own")] if own else []))
    assert (opens(found.accounts["openai"]), opens(found.reserve.get("openai"))) == (at, behind)


@pytest.mark.parametrize(
    ("policy", "usable"),
    [param(NEVER, False, id="never"), param(FALLBACK, True, id="fallback"), param(ALWAYS, True, id="always")],
)
def test_a_server_of_the_operators_without_a_key(policy: PlatformKeys, usable: bool) -> None:
    assert of_acme(policy).accounts["ollama"].usable is usable


@pytest.mark.parametrize(
    ("values", "secrets"),
    [
        param({}, True, id="in-use"),
        param({"enabled": False}, False, id="disabled"),
        param({"revoked_ns": 1, "sealed": b""}, False, id="revoked"),
    ],
)
def test_which_keys_open(values: dict[str, Any], secrets: bool) -> None:
    found = of_acme(NEVER, key("acme", "anthropic", **values)).accounts["anthropic"]
    assert bool(found.keys) is found.usable is secrets


def test_a_key_that_cannot_be_opened_is_left_out_and_said() -> None:
    held = control(Workspace("acme"), key("acme", "openai", "own"))
    found = seen(system("openai"), held, "acme", locked=frozenset({"own"}))
    assert found.accounts["openai"].unusable == "the key of this workspace for openai cannot be decrypted"


@pytest.mark.parametrize(
    ("provider", "values", "words"),
    [
        param("groq", None, "this workspace has no key for groq: `taximeter keys add groq`", id="no-key"),
        param("ollama", None, "the operator's ollama does not serve this workspace", id="no-key-needed"),
        param("azure", {}, "no address", id="no-address"),
        param("groq", {"enabled": False}, "the key of this workspace for groq is disabled",
              id="disabled"),
    ],
)  # fmt: skip
def test_why_an_account_cannot_be_used(provider: str, values: dict[str, Any] | None, words: str) -> None:
    keys = [] if values is None else [key("acme", provider, **values)]
    assert of_acme(NEVER, *keys).accounts[provider].unusable == words


def test_an_own_account_is_the_workspaces_and_else_as_configured() -> None:
    made = system("openai")
    found = of_acme(NEVER, key("acme", "openai", scopes=frozenset({KeyScope.TEXT})), made=made).accounts["openai"]
    theirs = made.accounts["openai"]
    assert (found.owner, found.keys[0].owner, found.keys[0].scopes) == ("acme", "workspace", frozenset({KeyScope.TEXT}))
    assert (found.wire, found.base_url, found.default_models) == (theirs.wire, theirs.base_url, theirs.default_models)


def test_what_the_operator_switched_off_stays_off() -> None:
    made = system()
    off = {**made.accounts, "openai": Account("openai", "openai", "openai", "https://x", enabled=False)}
    found = of_acme(NEVER, key("acme", "openai"), made=Catalog(off, {})).accounts["openai"]
    assert not found.usable


def at(url: str, number: int, **values: Any) -> ProviderKey:
    return key("acme", "azure", f"own{number}", base_url=url, created_ns=number, **values)


@pytest.mark.parametrize(
    ("keys", "accounts"),
    [
        param([at("https://a", 1)], {"azure": "https://a"}, id="one"),
        param([at("https://a", 1), at("https://a", 2)], {"azure": "https://a"}, id="two-keys-at-one-address"),
        param([at("https://a", 1), at("https://b", 2)], {"azure": "https://a", "azure2": "https://b"}, id="two"),
        param([at("https://a", 1, revoked_ns=9), at("https://b", 2)], {"azure2": "https://b"},
              id="a-name-outlives-the-revoked"),
    ],
)  # fmt: skip
def test_addresses_of_its_own(keys: list[ProviderKey], accounts: dict[str, str]) -> None:
    found = of_acme(NEVER, *keys).accounts.values()
    assert {each.name: each.base_url for each in found if each.owner} == accounts


@pytest.mark.parametrize("policy", [FALLBACK, ALWAYS])
def test_the_operators_keys_go_to_no_address_of_a_workspace(policy: PlatformKeys) -> None:
    found = of_acme(policy, key("acme", "openai", "own", base_url="https://elsewhere"))
    assert opens(found.accounts["openai"]) == ["own"]
    assert found.reserve["openai"].base_url == "https://openai.example/v1"


def test_zero_retention_holds_for_every_account() -> None:
    held = control(Workspace("acme", platform_keys=FALLBACK, zero_retention=True), key("acme", "openai"))
    found = seen(system("openai", "groq"), held, "acme")
    assert found.zero_retention
    assert all(each.zero_retention for each in (*found.accounts.values(), *found.reserve.values()))
    assert found.reserve["groq"] is found.accounts["groq"]


def test_a_workspace_that_changes_nothing_sees_the_configuration_itself() -> None:
    made = system("openai")
    assert seen(made, control(), "default") is made

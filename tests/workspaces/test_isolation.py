"""Nothing of one workspace is in another's view, whatever both have."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.catalog import Catalog
from sidecar.core.control import AliasVersion, PlatformKeys, ProviderKey, Workspace
from tests.support.workspaces import CONFIGURED, alias, control, key, seen, system

NAMES = ("acme", "other")
PROVIDERS = st.sampled_from((*CONFIGURED, "azure", "ollama"))


@st.composite
def possessions(draw: st.DrawFn, workspace: str) -> list[Workspace | ProviderKey | AliasVersion]:
    """A workspace with keys and aliases; names and addresses tell whose they are."""
    held: list[Any] = [
        Workspace(
            workspace, platform_keys=draw(st.sampled_from(list(PlatformKeys))), zero_retention=draw(st.booleans())
        )
    ]
    for number, provider in enumerate(draw(st.lists(PROVIDERS, max_size=4))):
        url = draw(st.sampled_from(["", f"https://{workspace}-a.example", f"https://{workspace}-b.example"]))
        revoked = draw(st.sampled_from([None, 9]))
        held.append(
            key(workspace, provider, f"{workspace}-{number}", base_url=url, created_ns=number, revoked_ns=revoked,
                enabled=draw(st.booleans()))
        )  # fmt: skip
    names = draw(st.sets(st.sampled_from(["smart", "mine", f"{workspace}-only"])))
    return [*held, *(alias(workspace, name, f"openai/{workspace}-model") for name in names)]


@given(
    st.tuples(*(possessions(name) for name in NAMES)),
    st.sets(st.sampled_from(CONFIGURED)),
)
def test_nothing_of_one_workspace_is_in_anothers_view(held: tuple[list[Any], ...], platform: set[str]) -> None:
    made = system(*platform)
    everything = control(*held[0], *held[1])
    for mine, theirs, own in zip(NAMES, NAMES[::-1], held, strict=True):
        view = seen(made, everything, mine)
        assert theirs not in repr(view) + secrets(view)
        assert view == seen(made, control(*own), mine), "the others do not even matter"
        if own[0].platform_keys is PlatformKeys.NEVER:
            assert "sk-of-the-operator" not in secrets(view)


@given(possessions("acme"), st.sets(st.sampled_from(CONFIGURED)))
def test_the_operators_secrets_go_to_the_operators_addresses_only(held: list[Any], platform: set[str]) -> None:
    made = system(*platform)
    view = seen(made, control(*held), "acme")
    for account in (*view.accounts.values(), *view.reserve.values()):
        if any(each.owner == "platform" for each in account.keys):
            assert account.base_url == made.accounts[account.name].base_url


def secrets(view: Catalog) -> str:
    held = (*view.accounts.values(), *view.reserve.values())
    return " ".join(key.secret for account in held for key in account.keys)

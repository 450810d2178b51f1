"""What a workspace's aliases lead to, and who is tried with which keys: policy x own and platform keys x strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import Operation, Strategy, Target
from sidecar.core.catalog import Account, Catalog, Route
from sidecar.core.control import AliasVersion, PlatformKeys, ProviderKey, Workspace
from sidecar.core.faults import RefusalReason
from sidecar.routing import nothing_left, plan
from tests.support.routes import Sight, account, call, pool
from tests.support.workspaces import alias, control, key, seen, system

param = pytest.param
NEVER, FALLBACK, ALWAYS = PlatformKeys.NEVER, PlatformKeys.FALLBACK, PlatformKeys.ALWAYS
FAILOVER, ROUND_ROBIN = Strategy.FAILOVER, Strategy.ROUND_ROBIN


def tried(catalog: Catalog, turn: int = 0, **asked: Any) -> list[str]:
    """ "openai:k1,k2" of each target in order; a key of the operator's is "*"."""
    one = call(**asked)
    made = plan(pool(catalog, one), one, turn=turn, chance=0.5, view=Sight(), price=lambda _each, _call: None)
    return [
        f"{each.target.provider}:{','.join('*' if key.owner == 'platform' else key.key_id for key in each.keys)}"
        for each in made.targets
    ]


def of_acme(policy: PlatformKeys, *held: ProviderKey | AliasVersion, made: Catalog) -> Catalog:
    return seen(made, control(Workspace("acme", platform_keys=policy), *held), "acme")


@pytest.mark.parametrize(
    ("policy", "own", "platform", "strategy", "turns"),
    [
        param(NEVER, "", "openai groq", FAILOVER, [""], id="never-none"),
        param(NEVER, "groq", "openai groq", FAILOVER, ["groq:g"], id="never-one"),
        param(NEVER, "groq openai", "openai", FAILOVER, ["openai:o groq:g"], id="never-two"),
        param(NEVER, "groq openai", "anthropic", ROUND_ROBIN, ["openai:o groq:g", "groq:g openai:o"], id="never-robin"),
        param(FALLBACK, "", "openai groq", FAILOVER, ["openai:* groq:*"], id="fallback-none"),
        param(FALLBACK, "groq", "openai groq", FAILOVER, ["groq:g openai:* groq:*"], id="fallback-one"),
        param(FALLBACK, "groq openai", "anthropic", ROUND_ROBIN,
              ["openai:o groq:g anthropic:*", "groq:g openai:o anthropic:*"], id="fallback-robin"),
        param(FALLBACK, "", "openai groq", ROUND_ROBIN, ["openai:* groq:*", "openai:* groq:*"], id="fallback-all"),
        param(ALWAYS, "", "openai groq", FAILOVER, ["openai:* groq:*"], id="always-none"),
        param(ALWAYS, "groq", "openai groq", FAILOVER, ["openai:* groq:g,*"], id="always-one"),
        param(ALWAYS, "groq", "openai", ROUND_ROBIN, ["openai:* groq:g", "groq:g openai:*"], id="always-robin"),
    ],
)  # fmt: skip
def test_who_is_tried_with_which_keys(
    policy: PlatformKeys, own: str, platform: str, strategy: Strategy, turns: list[str]
) -> None:
    made = system(*platform.split())
    made = replace(made, aliases={name: replace(each, strategy=strategy) for name, each in made.aliases.items()})
    found = of_acme(policy, *(key("acme", name, name[0]) for name in own.split()), made=made)
    assert [" ".join(tried(found, turn)) for turn in range(len(turns))] == turns


def test_a_workspace_without_any_key_is_told_to_add_one() -> None:
    found = of_acme(NEVER, made=system("openai"))
    refusal = nothing_left(call(), found, pool(found, call()), pool(found, call()).skips)
    assert refusal.reason is RefusalReason.KEY_MISSING
    assert refusal.message.endswith("(alias 'smart' needs one of: openai, anthropic, groq)")


def test_a_server_of_the_operators_in_the_chain_does_not_hide_that_a_key_would_do() -> None:
    """As `taximeter up` has it: the embedded model ends every chain, and serves the default workspace only."""
    made = system("openai")
    smart = made.aliases["smart"]
    smart = replace(smart, routes=(*smart.routes, Route(Target("ollama", "llama3"))))
    found = of_acme(NEVER, made=replace(made, aliases={"smart": smart}))
    refusal = nothing_left(call(), found, pool(found, call()), pool(found, call()).skips)
    assert refusal.reason is RefusalReason.KEY_MISSING
    assert refusal.message.endswith("(alias 'smart' needs one of: openai, anthropic, groq)")


def test_a_provider_named_directly_that_it_has_no_key_for() -> None:
    found, asked = of_acme(NEVER, made=system("openai")), call("", target=Target("openai", "m"))
    refusal = nothing_left(asked, found, pool(found, asked), pool(found, asked).skips)
    assert refusal.message == (
        "Provider not initialized: this workspace has no key for openai: `taximeter keys add openai`"
    )


EXTRA = {"mistral": account("mistral", keys=(), unusable="MISTRAL_API_KEY is not set")}


def with_mistral(made: Catalog) -> Catalog:
    return replace(made, accounts={**made.accounts, **EXTRA})


@pytest.mark.parametrize(
    ("policy", "platform", "chain"),
    [
        param(NEVER, "openai", ["mistral:m"], id="nothing-else-can-be-used"),
        param(ALWAYS, "", ["mistral:m"], id="nor-of-the-operators"),
        param(ALWAYS, "openai", ["openai:*"], id="what-the-operator-chose-stands"),
    ],
)
def test_a_pool_that_leads_nowhere_leads_to_the_workspaces_own_keys(
    policy: PlatformKeys, platform: str, chain: list[str]
) -> None:
    found = of_acme(policy, key("acme", "mistral", "m"), made=with_mistral(system(*platform.split())))
    assert tried(found) == chain
    assert not found.aliases["smart"].unusable


def test_the_operators_own_aliases_stay_as_they_are() -> None:
    made = with_mistral(system())
    made = replace(made, aliases={"mine": replace(made.aliases["smart"], name="mine")})
    assert tried(of_acme(NEVER, key("acme", "mistral", "m"), made=made), alias="mine") == []


def embedded(made: Catalog) -> Catalog:
    """As `taximeter up` without any key of the operator's: the embedded model ends the chains."""
    local = Account("local", "local", "openai", "http://127.0.0.1:1", needs_key=False)
    last = Route(Target("local", "tiny"))
    aliases = {name: replace(each, routes=(*each.routes, last)) for name, each in made.aliases.items()}
    return replace(made, accounts={**made.accounts, "local": local}, aliases=aliases)


@pytest.mark.parametrize(
    ("held", "chain"),
    [
        param([], ["local:*"], id="while-no-key-is-there"),
        param([key("default", "groq", "g")], ["groq:g"], id="once-one-is"),
        param([key("default", "mistral", "m")], ["mistral:m"], id="one-outside-the-chain"),
        param([key("default", "groq", "g", enabled=False)], ["local:*"], id="once-it-is-disabled"),
    ],
)
def test_the_embedded_model_serves_the_default_workspace_while_no_key_is_there(
    held: list[ProviderKey], chain: list[str]
) -> None:
    assert tried(seen(embedded(with_mistral(system())), control(*held), "default")) == chain


def test_the_embedded_model_serves_no_other_workspace() -> None:
    assert tried(of_acme(NEVER, made=embedded(system()))) == []


def test_a_definition_of_its_own_goes_before_the_configurations() -> None:
    found = of_acme(ALWAYS, alias("acme", "smart", "groq/x", version=3), made=system("openai", "groq"))
    assert tried(found) == ["groq:*"]
    assert (found.aliases["smart"].version, found.aliases["text"].version) == (3, 0)
    assert tried(found, alias="text") == ["openai:*", "groq:*"]


@pytest.mark.parametrize(
    ("values", "operation"),
    [
        param({}, None, id="any-text"),
        param({"modality": "MODALITY_TEXT"}, None, id="text"),
        param({"capability": "CAPABILITY_EMBEDDING"}, Operation.EMBEDDING, id="a-capability"),
        param({"modality": "MODALITY_AUDIO"}, Operation.SPEECH_TRANSCRIBE, id="audio-is-heard"),
        param({"modality": "MODALITY_AUDIO", "capability": "CAPABILITY_AUDIO_GENERATION"},
              Operation.SPEECH_SYNTHESIZE, id="or-made"),
        param({"modality": "MODALITY_OF_TOMORROW", "strategy": "ROUTING_STRATEGY_OF_TOMORROW"}, None, id="unknown"),
    ],
)  # fmt: skip
def test_what_an_alias_is_for(values: dict[str, Any], operation: Operation | None) -> None:
    found = of_acme(ALWAYS, alias("acme", "mine", "openai", **values), made=system("openai"))
    assert (found.aliases["mine"].operation, found.aliases["mine"].strategy) == (operation, FAILOVER)


def test_what_a_reload_sets_for_all_holds_for_each() -> None:
    found = of_acme(NEVER, made=system("openai", default_deadline_s=7.0, time_scale=0.5))
    assert (found.default_deadline_s, found.time_scale, found.workspace) == (7.0, 0.5, "acme")

"""What a caller is told when nobody can take the call: the messages of contracts.md."""

from typing import Any

import pytest

from sidecar.core.call import Capability, Operation, Skip, Target
from sidecar.core.catalog import Account, Alias, Key
from sidecar.core.faults import RefusalReason
from sidecar.routing import nothing_left
from tests.support.routes import account, call, catalog, chain, pool

param = pytest.param
KEYLESS: dict[str, Any] = {"keys": (), "unusable": "ANTHROPIC_API_KEY is not set", "display": "Anthropic"}
EMBEDDING = frozenset({Operation.EMBEDDING})


@pytest.mark.parametrize(
    ("accounts", "asked", "status", "reason", "message"),
    [
        param([account("anthropic", **KEYLESS), account("groq", keys=())], call(), "FAILED_PRECONDITION",
              RefusalReason.KEY_MISSING, "Add a key for this alias: `taximeter keys add PROVIDER` "
              "(alias 'smart' needs one of: anthropic, groq)", id="no-key-for-any-target"),
        param([account("anthropic", **KEYLESS), account("groq", operations=EMBEDDING)], call(), "FAILED_PRECONDITION",
              RefusalReason.KEY_MISSING, "Add a key for this alias: `taximeter keys add PROVIDER` "
              "(alias 'smart' needs one of: anthropic)", id="a-key-helps-only-where-the-operation-is-offered"),
        param([account("anthropic", **KEYLESS)], call("", target=Target("anthropic", "m")), "FAILED_PRECONDITION",
              RefusalReason.PROVIDER_NOT_INITIALIZED, "Provider not initialized: ANTHROPIC_API_KEY is not set",
              id="explicit-provider-without-key"),
        param([account("groq", enabled=False)], call("", target=Target("groq", "m")), "FAILED_PRECONDITION",
              RefusalReason.PROVIDER_NOT_INITIALIZED, "Provider not initialized: groq: disabled",
              id="explicit-provider-disabled"),
        param([account("anthropic", enabled=False), account("groq", keys=())], call(), "UNAVAILABLE",
              RefusalReason.NO_PROVIDER_AVAILABLE, "No available AI providers: anthropic (disabled), groq (no key)",
              id="several-reasons"),
        param([account("anthropic", operations=EMBEDDING, display="Anthropic")],
              call("", target=Target("anthropic", "m"), operation=Operation.IMAGE_GENERATE), "UNIMPLEMENTED",
              RefusalReason.OPERATION_NOT_SUPPORTED, "Anthropic does not offer image generation.", id="not-offered"),
        param([account("anthropic", operations=EMBEDDING), account("groq", operations=EMBEDDING)], call(),
              "UNIMPLEMENTED", RefusalReason.OPERATION_NOT_SUPPORTED, "None of anthropic, groq offers chat.",
              id="offered-by-none-of-the-chain"),
        param([account("groq")], call("", target=Target("anthropic", "m")), "NOT_FOUND",
              RefusalReason.UNKNOWN_PROVIDER, "Unknown provider 'anthropic'. Configured: groq.", id="unknown-provider"),
        param([account("groq")], call("nobody"), "NOT_FOUND", RefusalReason.UNKNOWN_ALIAS,
              "Unknown alias 'nobody'. Known aliases: smart. `taximeter providers` lists them all.",
              id="unknown-alias"),
        param([account("groq")], call("smrt"), "NOT_FOUND", RefusalReason.UNKNOWN_ALIAS,
              "Unknown alias 'smrt'. Did you mean 'smart'? `taximeter providers` lists them all.", id="misspelt-alias"),
        param([], call("nobody"), "UNAVAILABLE", RefusalReason.NO_PROVIDER_AVAILABLE,
              "No available AI providers: none is configured; add a provider's key, or `taximeter up` for the "
              "embedded model", id="nothing-configured"),
        param([account("groq")], call("", capability=Capability.MODERATION), "UNAVAILABLE",
              RefusalReason.NO_PROVIDER_AVAILABLE, "No available AI providers: none is configured; add a provider's "
              "key, or `taximeter up` for the embedded model", id="a-capability-that-nobody-has"),
        param([account("openrouter", aggregator=True), account("groq", operations=EMBEDDING)], call(),
              "INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, "Alias 'smart' leads to aggregators only (openrouter) "
              "and does not allow them: set allow_aggregators = true, or give it other providers.",
              id="aggregators-only"),
        param([account("groq", default_models={})], call("", target=Target("groq", "")), "INVALID_ARGUMENT",
              RefusalReason.INVALID_REQUEST, "Name a model: groq has no default for chat.", id="no-default-model"),
    ],
)  # fmt: skip
def test_refusal(accounts: list[Account], asked: Any, status: str, reason: RefusalReason, message: str) -> None:
    made = catalog(accounts, chain(*(each.name for each in accounts), allow_aggregators=False))
    found = pool(made, asked)
    refusal = nothing_left(asked, made, found, found.skips)
    assert not found.chain
    assert (refusal.grpc_status, refusal.reason, refusal.message) == (status, reason, message)


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        param(Alias("smart", (), unusable="no key", key_hints=("openai",)), RefusalReason.KEY_MISSING, id="hints"),
        param(Alias("smart", (), unusable="why not"), RefusalReason.PROVIDER_NOT_INITIALIZED, id="its-own-words"),
    ],
)
def test_an_alias_that_never_had_a_place(alias: Alias, reason: RefusalReason) -> None:
    made = catalog([], alias)
    assert nothing_left(call(), made, pool(made, call()), ()).reason is reason


def test_an_open_circuit_is_told_with_its_end() -> None:
    made = catalog([account("groq")], chain("groq"))
    skips = [Skip(Target("groq", "m"), "CIRCUIT_OPEN", "circuit open until 12:00:05Z")]
    refusal = nothing_left(call(), made, pool(made, call()), skips, retry_after_s=4.5)
    assert refusal.message == "No available AI providers: groq (circuit open until 12:00:05Z)"
    assert refusal.retry_after_s == 4.5


def test_no_refusal_tells_a_key() -> None:
    key = Key("k", "sk-canary-canary-canary")
    made = catalog([account("groq", keys=(key,), enabled=False)], chain("groq"))
    found = pool(made, call())
    assert "canary" not in repr(nothing_left(call(), made, found, found.skips)) + repr(found)

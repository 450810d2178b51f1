"""Calls, accounts, pools and a health view, for tests of routing and of the invoker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.core.call import Call, Capability, Operation, Target, Timeouts, Trace
from sidecar.core.catalog import Account, Alias, Catalog, Key, ModelFacts, Route
from sidecar.core.faults import FallbackReason
from sidecar.routing import Planned, Pool, pool_of

CHAT = frozenset({Operation.CHAT, Operation.EMBEDDING})


def account(name: str, **values: Any) -> Account:
    defaults: dict[str, Any] = {
        "type": name,
        "wire": "openai",
        "base_url": f"https://{name}.example/v1",
        "keys": (Key(f"key-{name}", f"sk-secret-of-{name}"),),
        "operations": CHAT,
        "capabilities": frozenset({Capability.CHAT}),
        "default_models": {"smart": f"{name}-smart", "fast": f"{name}-fast"},
    }
    return Account(name, **(defaults | values))


def call(alias: str = "smart", **values: Any) -> Call:
    defaults: dict[str, Any] = {
        "call_id": "01J00000000000000000000000",
        "workspace": "default",
        "caller": "test",
        "operation": Operation.CHAT,
        "payload": None,
        "streamed": False,
        "started_ns": 1_700_000_000_000_000_000,
        "started_monotonic_ns": 0,
        "deadline_s": 1e12,
        "trace": Trace("0" * 31 + "1"),
        "rpc_method": "taximeter.v1.InvocationService/Invoke",
        "alias": alias,
        "bytes_in": 40,
    }
    return Call(**(defaults | values))


def catalog(accounts: Mapping[str, Account] | list[Account], *aliases: Alias, **values: Any) -> Catalog:
    known = {each.name: each for each in accounts} if isinstance(accounts, list) else accounts
    return Catalog(accounts=known, aliases={alias.name: alias for alias in aliases}, **values)


def chain(*names: str, **values: Any) -> Alias:
    """An alias `smart` over the accounts' smart models."""
    return Alias("smart", tuple(Route(Target(name, f"{name}-smart")) for name in names), **values)


def planned(name: str, weight: int = 1, priority: int | None = None, keys: int = 1, context: int = 0) -> Planned:
    made = tuple(Key(f"{name}-{number}", f"secret-{number}") for number in range(keys))
    return Planned(
        Target(name, "m"), account(name, keys=made), Timeouts(5, 10, 60, 20), made, weight, priority, context
    )


def pool(made: Catalog, asked: Call, *, supported: bool = True, facts: ModelFacts | None = None) -> Pool:
    return pool_of(asked, made, lambda _account, _operation: supported, lambda _account, _model: facts or ModelFacts())


@dataclass
class Trouble:
    reason: FallbackReason
    detail: str = "in trouble"
    wait_s: float = 8.0
    firm: bool = True


@dataclass
class Sight:
    """A health view, as set."""

    troubles: dict[str, Trouble] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    waits: dict[str, float] = field(default_factory=dict)

    def blocked(self, planned: Planned) -> Trouble | None:
        return self.troubles.get(planned.target.provider)

    def key_aside(self, key_id: str) -> bool:
        return key_id in self.aside

    def typical_s(self, target: Target, streamed: bool) -> float | None:
        return self.waits.get(target.provider)

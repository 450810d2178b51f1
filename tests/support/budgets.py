"""Budgets, calls and records for tests of the budget room: small numbers, a clock to be moved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sidecar.budget import Alert, Bound, Budgets, Who
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Cost, Target, Usage, UsageSource
from sidecar.core.clock import Clock
from sidecar.core.control import Budget, BudgetScope, Window
from sidecar.core.money import MILLION

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
NOON = int(datetime(2026, 3, 11, 12, tzinfo=UTC).timestamp()) * SECOND_NS
"""A Wednesday."""
WHO = Who("acme", "smart", "ann")
NEVER_S = 1e12


@dataclass
class Hand:
    """A clock."""

    wall_ns: int = NOON
    monotonic_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_ns, lambda: round(self.monotonic_s * 1e9))


@dataclass
class Bench:
    """A budget room in which nothing was ever spent, with what it has told."""

    hand: Hand = field(default_factory=Hand)
    told: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.hand.clock(), self.told.append)
        self.budgets.restore([], complete=True)

    def with_(self, *definitions: Budget) -> Bench:
        self.budgets.follow({each.budget_id: each for each in definitions})
        return self

    @property
    def alerts(self) -> list[str]:
        return [f"{alert.budget_id} {alert.threshold} {alert.unit}" for alert in self.told]

    def spent(self, budget_id: str = "b") -> tuple[int, ...]:
        """USD, tokens, requests, as far as they are limited."""
        return tuple(measure.spent for measure in self.budgets.status(budget_id).measures)  # type: ignore[union-attr]

    def held(self, budget_id: str = "b") -> tuple[int, ...]:
        return tuple(measure.held for measure in self.budgets.status(budget_id).measures)  # type: ignore[union-attr]

    def spend(self, picodollars: int = 0, tokens: int = 0, who: Who = WHO, **values: Any) -> CallRecord:
        """A call that came to that, without a hold."""
        made = record(who=who, attempts=[attempt(picodollars, tokens)], budget_ns=self.hand.wall_ns, **values)
        self.budgets.charge(made)
        return made


def budget(budget_id: str = "b", scope: BudgetScope = BudgetScope.WORKSPACE, **values: Any) -> Budget:
    """Of acme: its month in UTC. `usd`, `tokens`, `requests` are limits."""
    subjects = {BudgetScope.ALIAS: "smart", BudgetScope.CALLER: "ann", BudgetScope.KEY: "k1"}
    limits = {f"limit_{name}": values.pop(short, None) for short, name in _LIMITS.items()}
    defaults: dict[str, Any] = {"workspace": "acme", "name": budget_id, "subject": subjects.get(scope, "")}
    return Budget(budget_id=budget_id, scope=scope, **(defaults | {"window": Window.MONTH} | limits | values))


_LIMITS = {"usd": "picodollars", "tokens": "tokens", "requests": "requests"}


def bound(picodollars: int | None = 0, tokens: int = 0, output: int = 0, price: int = 0, choices: int = 1) -> Bound:
    """`price` in picodollars a token of output."""
    return Bound(picodollars, price * MILLION, tokens, output, choices)


def attempt(
    picodollars: int | None = 0, tokens: int = 0, key_id: str = "", risk: int = 0, tokens_at_risk: int = 0
) -> Attempt:
    """Tokens are shared out between input and output."""
    return Attempt(
        number=1,
        target=Target("a", "m"),
        provider_type="a",
        status=AttemptStatus.OK,
        started_ns=NOON,
        key_id=key_id,
        usage=Usage(input=tokens // 2, output=tokens - tokens // 2),
        usage_source=UsageSource.REPORTED,
        cost=Cost(picodollars is not None, picodollars),
        cost_at_risk_picodollars=risk,
        maybe_billed=bool(risk or tokens_at_risk),
        tokens_at_risk=tokens_at_risk,
    )


def record(who: Who = WHO, attempts: Sequence[Attempt] = (), budget_ns: int = 0, **values: Any) -> CallRecord:
    defaults: dict[str, Any] = {
        "sidecar_id": "01SIDECAR",
        "seq": 1,
        "call_id": "01CALL",
        "operation": "chat",
        "streamed": False,
        "status": CallStatus.OK,
        "started_ns": NOON,
        "ended_ns": NOON,
        "duration_ns": 0,
        "trace_id": "",
        "server_span_id": "",
        "invoke_span_id": "",
    }
    return CallRecord(
        workspace=who.workspace,
        caller=who.caller,
        alias=who.alias,
        attempts=tuple(attempts),
        budget_ns=budget_ns,
        **(defaults | values),
    )

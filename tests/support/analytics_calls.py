"""Calls for a ledger with known answers, told in few words: who was tried, what it took, what was used and charged."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sidecar.core.call import (
    NO_COST,
    UNPRICED,
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    Target,
    Usage,
    UsageSource,
)
from sidecar.core.money import cost_picodollars
from tests.support.analytics import START, ns, settled

MS = 10**6
HOUR_S = 3600


def charged(meters: Mapping[str, tuple[int, str]], source: str = "genai-prices", version: str = "2026-11-01") -> Cost:
    """By meter: how many, at how many USD a million."""
    lines = tuple(
        CostLine(meter, quantity, price := int(Decimal(usd) * 10**12), cost_picodollars(quantity, price))
        for meter, (quantity, usd) in meters.items()
    )
    return Cost(True, sum(line.cost_picodollars for line in lines), source, version, lines)


def tried(target: str, took_ms: int, status: AttemptStatus = AttemptStatus.OK, **more: Any) -> dict[str, Any]:
    """One attempt at "provider/model"; `call` gives it its number and its start."""
    return {"target": Target(*target.split("/")), "status": status, "took_ns": took_ms * MS, **more}


def failed(target: str, took_ms: int, error: str = "server_error", **more: Any) -> dict[str, Any]:
    return tried(target, took_ms, AttemptStatus.FAILED, error_type=error, **more)


def used(usage: Usage, cost: Cost = UNPRICED, *, estimated: bool = False) -> dict[str, Any]:
    source = UsageSource.ESTIMATED if estimated else UsageSource.REPORTED
    return {"usage": usage, "cost": cost, "usage_source": source}


def call(seq: int, attempts: list[dict[str, Any]], status: CallStatus, *, at_s: float = 0, **more: Any) -> CallRecord:
    """A call begun `at_s` after START, whose attempts follow one another. Its error is the last attempt's."""
    started = ns(START) + int(at_s * 10**9)
    made, begins = [], started
    for number, told in enumerate(attempts, 1):
        facts = dict(told)
        took, target, state = facts.pop("took_ns"), facts.pop("target"), facts.pop("status")
        facts.setdefault("cost", NO_COST)
        facts.setdefault("key_id", f"{target.provider}-1")
        made.append(Attempt(number, target, target.provider, state, begins, begins + took, **facts))
        begins += took
    if status is CallStatus.ERROR and made:
        more.setdefault("error_type", made[-1].error_type)
    return settled(seq, started, made, status, **{"alias": "smart", **more})

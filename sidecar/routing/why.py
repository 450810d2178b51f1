"""A plan in words: why each target stands where it does. Pure; read by people."""

from __future__ import annotations

from sidecar.core.call import Call, Preference, Strategy, Target
from sidecar.core.faults import FallbackReason
from sidecar.routing.plan import Plan, View
from sidecar.routing.pool import Planned, Pool

_STRATEGIES = {
    Strategy.FAILOVER: "in the order of priority, weight and place (failover)",
    Strategy.ROUND_ROBIN: "in turn (round-robin)",
    Strategy.WEIGHTED: "in turn, by weight (weighted)",
    Strategy.RANDOM: "at random: this is one draw",
}
_PREFERENCES = {
    Preference.QUALITY: "in the strategy's order",
    Preference.SPEED: "fastest first",
    Preference.COST: "cheapest first",
}


def summary(plan: Plan, call: Call) -> str:
    """How the order came about, in one sentence."""
    pool = plan.pool
    if call.target is not None:
        return "The call names its target: it is tried alone."
    if pool.alias is not None:
        told = [f"Alias {pool.alias.name!r}: {_STRATEGIES[pool.strategy]}"]
    elif call.capability is not None and not call.alias:
        told = [f"Accounts with the capability {call.capability}, in the order of the catalogue"]
    else:
        return "Nothing is configured by that name."
    if plan.preference is not None:
        giver = "the call's" if call.preference is not None else "the alias's"
        told.append(f"{_PREFERENCES[plan.preference]} ({giver} preference {plan.preference})")
    if call.preferred_provider:
        there = any(_preferred(each, call) for each in plan.targets)
        told.append(f"{call.preferred_provider} {'before the others' if there else 'is not among them'} (preferred)")
    return "; ".join(told) + "."


def reasons(plan: Plan, call: Call, view: View, prices: dict[Target, int | None]) -> list[str]:
    """Of each target of the plan, why it stands there."""
    later = {skip.target: skip.detail for skip in plan.skips if skip.reason == FallbackReason.RATE_LIMITED}
    if call.target is not None:
        return ["named by the call" for _ in plan.targets]
    found: list[str] = []
    for place, planned in enumerate(plan.targets):
        if planned.target in later:
            found.append(f"rate limited ({later[planned.target]}): comes back if all others fail")
        elif (blocked := view.blocked(planned)) is not None:
            found.append(f"waited for, since nothing else is left: {blocked.detail}")
        elif _preferred(planned, call):
            found.append("preferred provider")
        elif planned.reserve:
            found.append("the operator's key, behind all of the workspace's own")
        elif planned.weight <= 0:
            found.append("weight 0: only as fallback")
        else:
            found.append(_place(place, planned, plan, prices, view.typical_s(planned.target, call.streamed)))
    return found


def _preferred(planned: Planned, call: Call) -> bool:
    return call.preferred_provider in (planned.account.name, planned.account.type)


def _place(place: int, planned: Planned, plan: Plan, prices: dict[Target, int | None], typical_s: float | None) -> str:
    first = place == 0
    match plan.preference:
        case Preference.COST:
            if prices[planned.target] is None:
                return "no price is known"
            return "cheapest" if first else "next by price"
        case Preference.SPEED:
            if typical_s is None:
                return "not measured yet"
            return "fastest" if first else "next by speed"
    return _turn(planned, plan.pool) if first else _fallback(planned, plan.pool)


def _turn(planned: Planned, pool: Pool) -> str:
    match pool.strategy:
        case Strategy.ROUND_ROBIN:
            return "its turn in the rotation"
        case Strategy.WEIGHTED:
            total = sum(each.weight for each in pool.chain)
            return f"its turn by weight ({planned.weight} of {total})"
        case Strategy.RANDOM:
            return "drawn"
    return _rank(planned, pool, "first in the chain")


def _fallback(planned: Planned, pool: Pool) -> str:
    match pool.strategy:
        case Strategy.ROUND_ROBIN:
            return "fallback, next in the rotation"
        case Strategy.RANDOM:
            return "fallback, drawn after it"
        case Strategy.WEIGHTED:
            return f"fallback, weight {planned.weight}"
    return _rank(planned, pool, "fallback, next in the chain")


def _rank(planned: Planned, pool: Pool, otherwise: str) -> str:
    if planned.priority is not None:
        return f"priority {planned.priority}"
    return f"weight {planned.weight}" if len({each.weight for each in pool.chain}) > 1 else otherwise

"""How a call ends without an answer, in words for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sidecar.budget import OverBudget
from sidecar.core.call import Attempt, Call, Skip
from sidecar.core.catalog import Catalog
from sidecar.core.control import Budget, BudgetScope
from sidecar.core.faults import Fault, Refusal, RefusalReason
from sidecar.core.money import usd_text
from sidecar.routing import Planned, Pool, nothing_left

_PROVIDER_TEXT = 300
"""Characters of a provider's own text in one line."""
_FOR_GOOD = {
    RefusalReason.INVALID_REQUEST: "INVALID_ARGUMENT",
    RefusalReason.CONTEXT_LENGTH_EXCEEDED: "INVALID_ARGUMENT",
    RefusalReason.CONTENT_FILTERED: "FAILED_PRECONDITION",
    RefusalReason.MODEL_NOT_FOUND: "NOT_FOUND",
    RefusalReason.OPERATION_NOT_SUPPORTED: "UNIMPLEMENTED",
}


HELD_RETRY_S = 1.0
"""Calls under way hold what is missing: some of it comes back when they end."""
NO_PRICE = (
    "No price is known for {}, and a budget in USD holds: give it one (`taximeter prices set`), or let the budget "
    "allow unpriced models (`taximeter budgets update ID --unpriced allow`)."
)


def nobody_left(
    call: Call,
    catalog: Catalog,
    pool: Pool,
    skips: Sequence[Skip],
    *,
    unsupported: str = "",
    retry_after_s: float | None = None,
) -> Refusal:
    """No target is left, and nothing was sent. `unsupported`: what the last that could not express it has said."""
    if unsupported and all(skip.reason == "NOT_SUPPORTED" for skip in skips):
        return Refusal("UNIMPLEMENTED", RefusalReason.OPERATION_NOT_SUPPORTED, unsupported)
    return nothing_left(call, catalog, pool, skips, retry_after_s)


def stopped(reason: RefusalReason, fault: Fault, attempts: Sequence[Attempt]) -> Refusal:
    """`fault` ended the last of `attempts`.

    What only a fallback has refused for good does not hide that the first target has failed.
    """
    last = attempts[-1]
    metadata = {"provider": last.target.provider, "model": last.target.model}
    if fault.provider_code:
        metadata["provider_code"] = fault.provider_code
    if reason is RefusalReason.DEADLINE_EXCEEDED:
        return deadline_exceeded(attempts)
    if reason is RefusalReason.STREAM_BROKEN:
        message = f"The stream broke off, what was received is not a whole answer: {_line(last)}"
        return Refusal("UNAVAILABLE", reason, message, metadata, fault.retry_after_s)
    if reason in _FOR_GOOD and all(attempt.error_type == last.error_type for attempt in attempts):
        return Refusal(_FOR_GOOD[reason], reason, _for_good(reason, fault, attempts), metadata)
    if reason in _FOR_GOOD and all(attempt.target == last.target for attempt in attempts):
        return Refusal(_FOR_GOOD[reason], reason, _for_good(reason, fault, attempts[-1:]), metadata)
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.ALL_ATTEMPTS_FAILED,
        "\n".join(["Request failed after all retry attempts:", *_lines(attempts)]),
        metadata,
        fault.retry_after_s,
    )


OPERATORS = "the operator's key"


def over_budget(over: OverBudget, workspace: str) -> Refusal:
    """contracts: errors, budget. `workspace`: the call's; how much a budget of the operator's is, on
    its key, others are not told."""
    budget = over.budget
    if over.unpriced:
        return Refusal("FAILED_PRECONDITION", RefusalReason.PRICE_UNKNOWN, NO_PRICE.format("this model"))
    if budget.workspace != workspace:
        return Refusal(
            "RESOURCE_EXHAUSTED",
            RefusalReason.BUDGET_EXCEEDED,
            f"Budget reached ({OPERATORS}). Add a key of your own (`taximeter keys add PROVIDER`), or ask the "
            "operator.",
            {"scope": budget.scope.value},
        )
    spent, limit, held = (amount(over.unit, each) for each in (over.spent, over.limit, over.held))
    used = f"{spent} of {limit}{'' if over.unit == 'usd' else f' {over.unit}'}"
    used += f", {held} held by calls under way" if over.held else ""
    resets = f", resets {clock_time(over.end_ns)}" if over.end_ns else ""
    return Refusal(
        "RESOURCE_EXHAUSTED",
        RefusalReason.BUDGET_EXCEEDED,
        f"Budget reached ({whose(budget)}, {used}{resets}). Raise the cap, wait, or switch to platform credits.",
        {"budget": budget.budget_id, "scope": budget.scope.value, "unit": over.unit, "limit": str(over.limit)},
        retry_after_s=HELD_RETRY_S if over.spent + over.wanted <= over.limit else None,
    )


def budget_unknown(budget: Budget, workspace: str) -> Refusal:
    own = budget.workspace == workspace
    named = whose(budget) if own else OPERATORS
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.BUDGET_UNKNOWN,
        f"What the budget of {named} has spent is being found out: the bookkeeper has to tell. Call again soon.",
        {"budget": budget.budget_id} if own else {},
        retry_after_s=HELD_RETRY_S,
    )


def price_unknown(targets: Sequence[Planned]) -> Refusal:
    """A budget in USD holds, and no target has a price."""
    named = ", ".join(dict.fromkeys(map(str, targets)))
    return Refusal(
        "FAILED_PRECONDITION", RefusalReason.PRICE_UNKNOWN, NO_PRICE.format(named), {"targets": named[:_PROVIDER_TEXT]}
    )


def whose(budget: Budget) -> str:
    """ "workspace 'a'", "key 'key_01...'" """
    subject = budget.workspace if budget.scope is BudgetScope.WORKSPACE else budget.subject
    return f"{budget.scope.value} {subject!r}"


def amount(unit: str, value: int) -> str:
    """ "$100.00", "4000" """
    if unit != "usd":
        return str(value)
    dollars, _, cents = usd_text(value).partition(".")
    return f"${dollars}.{cents:0<2}"


def clock_time(at_ns: int) -> str:
    """ "2026-12-01T00:00:00Z" """
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deadline_exceeded(attempts: Sequence[Attempt]) -> Refusal:
    tried = (
        f"; tried {', '.join(f'{each.target.provider}/{each.target.model}' for each in attempts)}" if attempts else ""
    )
    return Refusal(
        "DEADLINE_EXCEEDED", RefusalReason.DEADLINE_EXCEEDED, f"The caller's deadline passed before an answer{tried}."
    )


def _for_good(reason: RefusalReason, fault: Fault, attempts: Sequence[Attempt]) -> str:
    target = attempts[-1].target
    said = _clipped(fault.message)
    match reason:
        case RefusalReason.MODEL_NOT_FOUND:
            named = dict.fromkeys(f"{each.target.model!r} at provider {each.target.provider!r}" for each in attempts)
            return f"Model not found: {', '.join(named)}"
        case RefusalReason.CONTENT_FILTERED:
            return f"The content filter of {target.provider} refused this: {said}"
        case RefusalReason.CONTEXT_LENGTH_EXCEEDED:
            return f"Too long for {target.provider}/{target.model}, and no target with a larger context is left: {said}"
        case RefusalReason.OPERATION_NOT_SUPPORTED:
            return f"{target.provider} cannot do this: {said}"
    return f"{target.provider} refused the request: {said}"


def _lines(attempts: Sequence[Attempt]) -> list[str]:
    lines = [_line(attempt) for attempt in attempts]
    if attempts[-1].target != attempts[0].target:
        lines[-1] = f"Fallback provider failed: {lines[-1]}"
    return lines


def _line(attempt: Attempt) -> str:
    status = f" (HTTP {attempt.http_status})" if attempt.http_status >= 300 else ""
    said = f": {_clipped(attempt.message)}" if attempt.message else ""
    trouble = attempt.error_type.replace("_", " ")
    return f"{attempt.target.provider}/{attempt.target.model}: {trouble}{status}{said}"


def _clipped(text: str) -> str:
    return text if len(text) <= _PROVIDER_TEXT else text[: _PROVIDER_TEXT - 1] + "…"

"""Budgets: what a request says of one, and what is told of how one stands. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from sidecar.budget import Measure, Status, is_zone
from sidecar.core.control import Budget, BudgetScope, Window
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.core.money import from_usd, usd_text
from sidecar.edge.metering import timestamp
from taximeter.v1 import budgets_pb2 as pb

MOST_USD = 9_000_000
"""Picodollars have 64 bits in the journal."""
MOST_COUNT = 10**15
MAX_NAME = 128
FORECAST_AFTER = 100
"""No forecast in the first hundredth of a window."""
_USD = re.compile(r"[0-9]{1,7}(\.[0-9]{1,12})?")
Wrong = list[tuple[str, str]]
"""(field path, what is wrong there)."""

SCOPES: Mapping[pb.BudgetScope.ValueType, BudgetScope] = {
    pb.BUDGET_SCOPE_WORKSPACE: BudgetScope.WORKSPACE,
    pb.BUDGET_SCOPE_KEY: BudgetScope.KEY,
    pb.BUDGET_SCOPE_ALIAS: BudgetScope.ALIAS,
    pb.BUDGET_SCOPE_CALLER: BudgetScope.CALLER,
}
WINDOWS: Mapping[pb.BudgetWindow.ValueType, Window] = {
    pb.BUDGET_WINDOW_DAY: Window.DAY,
    pb.BUDGET_WINDOW_WEEK: Window.WEEK,
    pb.BUDGET_WINDOW_MONTH: Window.MONTH,
    pb.BUDGET_WINDOW_TOTAL: Window.TOTAL,
}
_SCOPE = {scope: number for number, scope in SCOPES.items()}
_WINDOW = {window: number for number, window in WINDOWS.items()}
_REQUIRED = "is needed: one of {}"


def refuse(wrong: Wrong) -> None:
    """Raises Refusal (INVALID_REQUEST) if anything is wrong: all of it at once."""
    if wrong:
        told = "; ".join(f"{field}: {what}" for field, what in wrong)
        raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, told, field_violations=tuple(wrong))


def new_budget(said: pb.Budget, workspace: str, wrong: Wrong) -> Budget:
    """Without its id and who made it. What cannot be read is noted in `wrong`, and something stands in its place."""
    scope = SCOPES.get(said.scope)
    window = WINDOWS.get(said.window)
    if scope is None:
        wrong.append(("budget.scope", _REQUIRED.format(", ".join(BudgetScope))))
    if window is None:
        wrong.append(("budget.window", _REQUIRED.format(", ".join(Window))))
    zone = said.time_zone or "UTC"
    if not is_zone(zone):
        wrong.append(("budget.time_zone", f"{zone!r} is not a time zone of the IANA database, like Europe/Berlin"))
    base = Budget("", workspace, "", scope or BudgetScope.WORKSPACE, said.subject, window or Window.MONTH, zone)
    return changed_budget(said, base, wrong)


def changed_budget(said: pb.Budget, base: Budget, wrong: Wrong) -> Budget:
    """All that an update can change, as `said`; the rest of `base`."""
    limits = (_usd(said, wrong), _count(said, "limit_tokens", wrong), _count(said, "limit_requests", wrong))
    if limits == (None, None, None) and not wrong:
        wrong.append(("budget", "needs at least one limit: limit_usd, limit_tokens or limit_requests"))
    return replace(
        base,
        name=_name(said.name, wrong) or base.name or default_name(base),
        limit_picodollars=limits[0],
        limit_tokens=limits[1],
        limit_requests=limits[2],
        soft_percent=_percent(said, wrong),
        soft_only=said.soft_only,
        shrink=said.shrink if said.HasField("shrink") else True,
        allow_unpriced=said.unpriced == pb.UNPRICED_ALLOW,
        count_at_risk=said.count_at_risk if said.HasField("count_at_risk") else True,
    )


def unchangeable(said: pb.Budget, old: Budget, wrong: Wrong) -> None:
    """What another value is given for, and cannot be: that would be another budget."""
    given = {
        "scope": SCOPES.get(said.scope, old.scope),
        "subject": said.subject or old.subject,
        "window": WINDOWS.get(said.window, old.window),
        "time_zone": said.time_zone or old.time_zone,
    }
    for field, value in given.items():
        if value != getattr(old, field):
            wrong.append((f"budget.{field}", "cannot change: delete this budget and make another"))


def default_name(budget: Budget) -> str:
    """ "workspace, month"; "alias smart, day"."""
    return f"{budget.scope} {budget.subject}".rstrip() + f", {budget.window}"


def budget_message(budget: Budget) -> pb.Budget:
    usd = budget.limit_picodollars
    return pb.Budget(
        budget_id=budget.budget_id,
        workspace_id=budget.workspace,
        name=budget.name,
        scope=_SCOPE[budget.scope],
        subject=budget.subject,
        window=_WINDOW[budget.window],
        time_zone=budget.time_zone,
        limit_usd=None if usd is None else usd_text(usd),
        limit_tokens=budget.limit_tokens,
        limit_requests=budget.limit_requests,
        soft_percent=budget.soft_percent,
        soft_only=budget.soft_only,
        shrink=budget.shrink,
        unpriced=pb.UNPRICED_ALLOW if budget.allow_unpriced else pb.UNPRICED_REFUSE,
        count_at_risk=budget.count_at_risk,
        created_at=timestamp(budget.created_ns),
        created_by=budget.created_by,
        imposed=budget.imposed,
    )


def status_message(status: Status, now_ns: int) -> pb.BudgetStatus:
    told = pb.BudgetStatus(
        budget=budget_message(status.budget),
        window_start=timestamp(status.start_ns),
        state=status.state,
        refused=status.refused,
    )
    if status.end_ns:
        told.window_end.CopyFrom(timestamp(status.end_ns))
    if status.soft_alert_ns:
        told.soft_alert_at.CopyFrom(timestamp(status.soft_alert_ns))
    if status.hard_alert_ns:
        told.hard_alert_at.CopyFrom(timestamp(status.hard_alert_ns))
    if status.state == "opening":
        return told
    for measure in status.measures:
        told.measures.append(_measure(measure, forecast(measure.spent, status.start_ns, status.end_ns, now_ns)))
    return told


def forecast(spent: int, start_ns: int, end_ns: int, now_ns: int) -> int | None:
    """What the window comes to if it goes on as so far: spent x its length / what of it is over, rounded down.

    None: it has no end, or less than a hundredth of it is over.
    """
    length_ns, over_ns = end_ns - start_ns, now_ns - start_ns
    if not end_ns or over_ns * FORECAST_AFTER < length_ns:
        return None
    return spent * length_ns // min(over_ns, length_ns)


def _measure(measure: Measure, ahead: int | None) -> pb.BudgetMeasure:
    def text(amount: int) -> str:
        return usd_text(amount) if measure.unit == "usd" else str(amount)

    return pb.BudgetMeasure(
        unit=measure.unit,
        limit=text(measure.limit),
        spent=text(measure.spent),
        held=text(measure.held),
        remaining=text(measure.remaining),
        forecast=None if ahead is None else text(ahead),
        used_percent=round(measure.used_percent, 2),
    )


def _usd(said: pb.Budget, wrong: Wrong) -> int | None:
    if not said.HasField("limit_usd"):
        return None
    text = said.limit_usd.strip()
    amount = Decimal(text) if _USD.fullmatch(text) else Decimal(-1)
    if not 0 <= amount <= MOST_USD:
        wrong.append(("budget.limit_usd", f'has to be dollars in decimal ("100", "99.50"), from 0 to {MOST_USD:,}'))
    return from_usd(amount)


def _count(said: pb.Budget, field: str, wrong: Wrong) -> int | None:
    if not said.HasField(field):  # type: ignore[arg-type]  # one of its fields
        return None
    count: int = getattr(said, field)
    if not 0 <= count <= MOST_COUNT:
        wrong.append((f"budget.{field}", f"has to be a whole number from 0 to {MOST_COUNT:,}"))
    return count


def _percent(said: pb.Budget, wrong: Wrong) -> int:
    percent = said.soft_percent if said.HasField("soft_percent") else 80
    if not 1 <= percent <= 100:
        wrong.append(("budget.soft_percent", "has to be from 1 to 100"))
    return percent


def _name(raw: str, wrong: Wrong) -> str:
    name = raw.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        wrong.append(("budget.name", f"must have at most {MAX_NAME} characters, all printable"))
    return name

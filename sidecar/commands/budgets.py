"""`taximeter budgets`: made, changed, shown and watched through the sidecar."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from sidecar.arguments import Exit
from sidecar.commands.budgets_shown import COLUMNS, STANDING, limits, line, row, standing
from sidecar.commands.calling import client
from sidecar.commands.context import fail, out, print_json
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter.v1 import budgets_pb2 as pb
    from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub

NONE = "none"
WHOLE = ("budget", "of", "state", "begins anew")
SPARE = ("budget", "refused", "held", "left", "begins anew")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be true of a budget, as typed; None: not said."""

    usd: str | None
    tokens: str | None
    requests: str | None
    name: str | None
    soft: int | None
    soft_only: bool | None
    shrink: bool | None
    unpriced: str | None
    at_risk: bool | None

    def put(self, budget: pb.Budget) -> None:
        """What was said goes into `budget`; its other fields stay."""
        from taximeter.v1 import budgets_pb2 as pb

        limits_said = {"limit_usd": self.usd, "limit_tokens": self.tokens, "limit_requests": self.requests}
        for field, text in limits_said.items():
            if text is not None and text.strip().lower() == NONE:
                budget.ClearField(field)  # type: ignore[arg-type]  # one of its fields
            elif text is not None:
                setattr(budget, field, text if field == "limit_usd" else _count(text))
        said = {
            "name": self.name,
            "soft_percent": self.soft,
            "soft_only": self.soft_only,
            "shrink": self.shrink,
            "count_at_risk": self.at_risk,
        }
        for field, value in said.items():
            if value is not None:
                setattr(budget, field, value)
        if self.unpriced is not None:
            budget.unpriced = pb.UNPRICED_ALLOW if self.unpriced == "allow" else pb.UNPRICED_REFUSE


def create(
    wish: Wish, subjects: Mapping[str, str], *, window: str, zone: str, workspace: str, address: str, as_json: bool
) -> int:
    """`subjects`: at most one of key, alias, caller is not empty. Returns an exit code."""
    from taximeter.v1 import budgets_pb2 as pb

    named = [(scope, subject) for scope, subject in subjects.items() if subject]
    if len(named) > 1:
        fail("a budget is of one thing: --key, --alias or --caller; without, of the workspace", Exit.USAGE)
    if not any(limit and limit.strip().lower() != NONE for limit in (wish.usd, wish.tokens, wish.requests)):
        fail("say what it limits: at least one of --usd, --tokens and --requests", Exit.USAGE)
    scope, subject = named[0] if named else ("workspace", "")
    budget = pb.Budget(
        workspace_id=workspace,
        scope=pb.BudgetScope.Value(f"BUDGET_SCOPE_{scope.upper()}"),
        subject=subject,
        window=pb.BudgetWindow.Value(f"BUDGET_WINDOW_{window.upper()}"),
        time_zone=zone,
    )
    wish.put(budget)
    with _budgets(address) as budgets:
        made = budgets.CreateBudget(pb.CreateBudgetRequest(budget=budget)).status
    return _told(made, "is in force", as_json=as_json)


def list_(*, workspace: str, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import budgets_pb2 as pb

    with _budgets(address) as budgets:
        found = budgets.ListBudgets(pb.ListBudgetsRequest(workspace_id=workspace)).budgets
    if as_json:
        for budget in found:
            _print(budget)
    elif found:
        spare = ("made by", "unpriced", "soft alert", "name")
        show_table(COLUMNS, map(row, found), whole=("budget", "of"), spare=spare, wide=wide)
    else:
        out.print("no budgets: `taximeter budgets create --usd 100` makes one of a month")
    return Exit.OK


def status(budget_id: str, *, workspace: str, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import budgets_pb2 as pb

    with _budgets(address) as budgets:
        asked = pb.GetBudgetStatusRequest(budget_id=budget_id, workspace_id=workspace)
        found = budgets.GetBudgetStatus(asked).statuses
    if as_json:
        for each in found:
            _print(each)
    elif found:
        rows = [cells for each in found for cells in standing(each)]
        right = ("limit", "spent", "held", "left", "used", "forecast", "refused")
        show_table(STANDING, rows, right=right, whole=WHOLE, spare=SPARE, wide=wide)
    else:
        out.print("no budgets: `taximeter budgets create --usd 100` makes one of a month")
    return Exit.OK


def watch(budget_id: str, *, workspace: str, address: str, as_json: bool) -> int:
    """Until Ctrl-C, or the end of the sidecar."""
    from taximeter.v1 import budgets_pb2 as pb

    with _budgets(address) as budgets:
        for news in budgets.WatchBudgets(pb.WatchBudgetsRequest(workspace_id=workspace)):
            for each in news.statuses:
                if budget_id in ("", each.budget.budget_id):
                    _tell_news(each, as_json=as_json)
    return Exit.OK


def update(budget_id: str, wish: Wish, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import budgets_pb2 as pb

    with _budgets(address) as budgets:
        (known,) = budgets.GetBudgetStatus(pb.GetBudgetStatusRequest(budget_id=budget_id)).statuses
        wish.put(known.budget)
        changed = budgets.UpdateBudget(pb.UpdateBudgetRequest(budget=known.budget)).status
    return _told(changed, "is changed", as_json=as_json)


def delete(budget_id: str, *, yes: bool, address: str) -> int:
    """Returns an exit code."""
    from taximeter.v1 import budgets_pb2 as pb

    if not yes:
        _ask(f"Take {budget_id} away? Nothing is limited by it any more.")
    with _budgets(address) as budgets:
        budgets.DeleteBudget(pb.DeleteBudgetRequest(budget_id=budget_id))
    out.print(f"{budget_id} is no more", markup=False)
    return Exit.OK


@contextmanager
def _budgets(address: str) -> Iterator[BudgetServiceStub]:
    from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub

    with client(address) as connected:
        yield connected.service(BudgetServiceStub)


def _told(status: pb.BudgetStatus, done: str, *, as_json: bool) -> int:
    if as_json:
        _print(status)
    else:
        out.print(f"{status.budget.budget_id} {done}: {limits(status.budget)}; {line(status)}", markup=False)
    return Exit.OK


def _tell_news(status: pb.BudgetStatus, *, as_json: bool) -> None:
    if as_json:
        _print(status)
    else:
        now = datetime.now().astimezone()
        out.print(f"{now:%H:%M:%S}  {status.budget.name}: {line(status)}", markup=False)


def _print(message: Any) -> None:
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(message))


def _count(text: str) -> int:
    digits = text.strip().replace("_", "").replace(",", "")
    if not digits.isdecimal() or len(digits) > 18:
        fail(f"{text!r} is not a whole number", Exit.USAGE)
    return int(digits)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        fail("say --yes where nobody can be asked", Exit.USAGE)
    typer.confirm(question, abort=True, err=True)

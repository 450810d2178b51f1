"""BudgetService: limits made, changed, taken away, and how they stand. Each sidecar keeps them exactly, by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sidecar.budget import Budgets, Status
from sidecar.core import ids
from sidecar.core.control import Budget, Control
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import budgets_messages as messages
from sidecar.edge.access import actor, room_for_one, sees, workspace_of
from sidecar.edge.budgets_subjects import Subjects
from sidecar.edge.budgets_watch import BudgetWatch
from sidecar.edge.roles import Least, role_required
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.plane.opening import Opening
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import budgets_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["BudgetService"].full_name
MOST_OF_ONE = 10
"""Budgets of one scope and subject: each call asks them all."""


class BudgetService:
    def __init__(
        self,
        plane: ControlPlane,
        budgets: Budgets,
        opening: Opening,
        watch: BudgetWatch,
        subjects: Subjects,
    ) -> None:
        self._plane = plane
        self._budgets = budgets
        self._opening = opening
        self._watch = watch
        self._subjects = subjects

    def handlers(self, border: Border) -> Handlers:
        async def create(body: bytes, rpc: Rpc) -> bytes:
            return (await self._create(border.parse(pb.CreateBudgetRequest, body), rpc)).SerializeToString()

        async def listed(body: bytes, rpc: Rpc) -> bytes:
            return self._list(border.parse(pb.ListBudgetsRequest, body), rpc).SerializeToString()

        async def update(body: bytes, rpc: Rpc) -> bytes:
            return (await self._update(border.parse(pb.UpdateBudgetRequest, body), rpc)).SerializeToString()

        async def delete(body: bytes, rpc: Rpc) -> bytes:
            return (await self._delete(border.parse(pb.DeleteBudgetRequest, body), rpc)).SerializeToString()

        async def status(body: bytes, rpc: Rpc) -> bytes:
            return self._status(border.parse(pb.GetBudgetStatusRequest, body), rpc).SerializeToString()

        async def watch(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
            asked = border.parse(pb.WatchBudgetsRequest, body)
            await self._watch.watch(workspace_of(rpc, asked.workspace_id), write)

        unary = {
            "CreateBudget": create,
            "ListBudgets": listed,
            "UpdateBudget": update,
            "DeleteBudget": delete,
            "GetBudgetStatus": status,
        }
        return {
            **{name: border.unary(f"{SERVICE}/{name}", answer) for name, answer in unary.items()},
            "WatchBudgets": border.parts(f"{SERVICE}/WatchBudgets", watch),
        }

    async def _create(self, asked: pb.CreateBudgetRequest, rpc: Rpc) -> pb.CreateBudgetResponse:
        """What the window has spent is found out before the budget is in force."""
        workspace = workspace_of(rpc, asked.budget.workspace_id)
        wrong: messages.Wrong = []
        made = messages.new_budget(asked.budget, workspace, wrong)
        if not wrong and (amiss := self._subjects.wrong(made)):
            wrong.append(("budget.subject", amiss))
        messages.refuse(wrong)
        who = actor(rpc)
        budget = replace(
            made,
            budget_id=f"bud_{ids.ulid()}",
            imposed=rpc.identity.operator and workspace != rpc.identity.workspace,
            created_by=who.name,
        )

        def put(change: Change) -> None:
            _may_be_made(change.control, budget)
            change.put("budget.create", replace(budget, created_ns=change.now_ns))

        _may_be_made(self._plane.control, budget)
        async with self._opening.prepared(budget):
            await self._plane.change(who, put)
        return pb.CreateBudgetResponse(status=self._told(budget.budget_id))

    def _list(self, asked: pb.ListBudgetsRequest, rpc: Rpc) -> pb.ListBudgetsResponse:
        workspace, scope = workspace_of(rpc, asked.workspace_id), messages.SCOPES.get(asked.scope)
        found = [
            budget
            for budget in self._plane.control.budgets.values()
            if budget.workspace == workspace
            and (scope is None or budget.scope is scope)
            and asked.subject in ("", budget.subject)
        ]
        found.sort(key=lambda budget: (budget.created_ns, budget.budget_id))
        return pb.ListBudgetsResponse(budgets=map(messages.budget_message, found))

    async def _update(self, asked: pb.UpdateBudgetRequest, rpc: Rpc) -> pb.UpdateBudgetResponse:
        said, wrong = asked.budget, messages.Wrong()
        old = _own(self._plane.control, rpc, said.budget_id)
        messages.unchangeable(said, old, wrong)
        new = messages.changed_budget(said, old, wrong)
        messages.refuse(wrong)
        if new.count_at_risk != old.count_at_risk:  # then the window is counted anew, for which the ledger is asked
            await self._opening.check(new)

        def put(change: Change) -> None:
            _own(change.control, rpc, said.budget_id)
            change.put("budget.update", new)

        await self._plane.change(actor(rpc), put)
        return pb.UpdateBudgetResponse(status=self._told(said.budget_id))

    async def _delete(self, asked: pb.DeleteBudgetRequest, rpc: Rpc) -> pb.DeleteBudgetResponse:
        def remove(change: Change) -> None:
            change.remove("budget.delete", _own(change.control, rpc, asked.budget_id))

        _own(self._plane.control, rpc, asked.budget_id)
        await self._plane.change(actor(rpc), remove)
        return pb.DeleteBudgetResponse()

    def _status(self, asked: pb.GetBudgetStatusRequest, rpc: Rpc) -> pb.GetBudgetStatusResponse:
        if asked.budget_id:
            known = _known(self._plane.control, rpc, asked.budget_id)
            return pb.GetBudgetStatusResponse(statuses=[self._told(known.budget_id)])
        workspace, now_ns = workspace_of(rpc, asked.workspace_id), self._budgets.now_ns()
        found = statuses(self._budgets, workspace).values()
        return pb.GetBudgetStatusResponse(statuses=[messages.status_message(each, now_ns) for each in found])

    def _told(self, budget_id: str) -> pb.BudgetStatus:
        """Raises Refusal (UNKNOWN_BUDGET) if it went a moment ago."""
        status = self._budgets.status(budget_id)
        if status is None:
            raise _unknown(budget_id)
        return messages.status_message(status, self._budgets.now_ns())


def statuses(budgets: Budgets, workspace: str) -> dict[str, Status]:
    """By budget id, in the order in which they were made."""
    found = sorted(budgets.statuses(workspace), key=lambda each: (each.budget.created_ns, each.budget.budget_id))
    return {each.budget.budget_id: each for each in found}


def _may_be_made(control: Control, budget: Budget) -> None:
    """Raises Refusal (UNKNOWN_WORKSPACE, INVALID_REQUEST)."""
    workspace = control.workspaces.get(budget.workspace)
    if workspace is None or workspace.archived_ns is not None:
        raise Refusal("NOT_FOUND", RefusalReason.UNKNOWN_WORKSPACE, f"There is no workspace {budget.workspace!r}.")
    room_for_one(control.budgets.values(), budget.workspace, "budgets", "`taximeter budgets delete`")
    beside = [
        each
        for each in control.budgets.values()
        if (each.workspace, each.scope, each.subject) == (budget.workspace, budget.scope, budget.subject)
    ]
    if len(beside) >= MOST_OF_ONE:
        raise Refusal(
            "FAILED_PRECONDITION",
            RefusalReason.INVALID_REQUEST,
            f"There are {len(beside)} budgets for this already, and no more can be: change one of them, or delete one.",
        )


def _own(control: Control, rpc: Rpc, budget_id: str) -> Budget:
    """To be changed. Raises Refusal (UNKNOWN_BUDGET, ROLE_REQUIRED)."""
    budget = _known(control, rpc, budget_id)
    if budget.imposed and not rpc.identity.operator:
        raise role_required("To change a budget that the operator has imposed", Least.OPERATOR, rpc.identity)
    return budget


def _known(control: Control, rpc: Rpc, budget_id: str) -> Budget:
    """Raises Refusal (UNKNOWN_BUDGET): another workspace's is as unknown as one that never was."""
    budget = control.budgets.get(budget_id)
    if budget is None or not sees(rpc, budget.workspace):
        raise _unknown(budget_id)
    return budget


def _unknown(budget_id: str) -> Refusal:
    return Refusal(
        "NOT_FOUND",
        RefusalReason.UNKNOWN_BUDGET,
        f"This workspace has no budget {budget_id!r}. `taximeter budgets list` shows those it has.",
    )

"""What is live in this sidecar, as the journal's State frames carry it."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.budget import Status
from sidecar.edge.gate import Gate
from sidecar.health import TargetHealth
from sidecar.plane.book import at_most
from taximeter.journal.v1 import journal_pb2


def state(at_ns: int, gate: Gate, targets: Sequence[TargetHealth], budgets: Sequence[Status] = ()) -> journal_pb2.State:
    """`at_ns`: UTC."""
    return journal_pb2.State(
        at_ns=at_ns,
        in_flight=gate.in_flight,
        unauthenticated=gate.unauthenticated,
        undecodable=gate.undecodable,
        shed=gate.shed,
        replayed=gate.replayed,
        targets=[_target(each) for each in targets if not each.target.owner],  # a workspace's own are its own business
        budgets=[_budget(each) for each in budgets if each.state != "opening"],
    )


def _budget(stands: Status) -> journal_pb2.BudgetState:
    budget = stands.budget
    return journal_pb2.BudgetState(
        budget_id=budget.budget_id,
        name=budget.name,
        workspace=budget.workspace,
        scope=budget.scope.value,
        subject=budget.subject,
        window_start_ns=stands.start_ns,
        window_end_ns=stands.end_ns,
        measures=[
            journal_pb2.BudgetMeasure(
                unit=each.unit, limit=each.limit, spent=at_most(each.spent), held=at_most(each.held)
            )
            for each in stands.measures
        ],
    )


def _target(seen: TargetHealth) -> journal_pb2.TargetState:
    return journal_pb2.TargetState(
        provider=seen.target.provider,
        model=seen.target.model,
        circuit=seen.circuit.value,
        requests=seen.requests,
        errors=seen.errors,
        mean_ms=1000 * (seen.mean_s or 0),
        p95_ms=1000 * (seen.p95_s or 0),
        last_used_ns=seen.last_used_ns or 0,
        last_error_type=seen.last_error_type,
        last_error_ns=seen.last_error_ns or 0,
        cooling_until_ns=seen.cooling_until_ns or 0,
    )

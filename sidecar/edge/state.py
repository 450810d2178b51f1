"""What is live in this sidecar, as the journal's State frames carry it."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.edge.gate import Gate
from sidecar.health import TargetHealth
from taximeter.journal.v1 import journal_pb2


def state(at_ns: int, gate: Gate, targets: Sequence[TargetHealth]) -> journal_pb2.State:
    """`at_ns`: UTC."""
    return journal_pb2.State(
        at_ns=at_ns,
        in_flight=gate.in_flight,
        unauthenticated=gate.unauthenticated,
        undecodable=gate.undecodable,
        shed=gate.shed,
        targets=[_target(each) for each in targets],
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

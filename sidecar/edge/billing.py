"""BillingService: passed through to the bookkeeper, which has the ledger; a closing is audited before it is done."""

from __future__ import annotations

from sidecar.core.control import DEFAULT_WORKSPACE
from sidecar.edge.access import actor, workspace_of
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.usage import UsageRelay
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import billing_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["BillingService"].full_name
ACTOR_KEY = "taximeter-actor"


class BillingService:
    def __init__(self, plane: ControlPlane, relay: UsageRelay) -> None:
        self._plane = plane
        self._relay = relay

    def handlers(self, border: Border) -> Handlers:
        async def listed(body: bytes, rpc: Rpc) -> bytes:
            workspace_of(rpc, border.parse(pb.ListPeriodsRequest, body).workspace_id)
            return await self._relay.passed(body, rpc)

        async def close(body: bytes, rpc: Rpc) -> bytes:
            return await self._close(border.parse(pb.ClosePeriodRequest, body), rpc)

        return {
            "ListPeriods": border.unary(f"{SERVICE}/ListPeriods", listed),
            "ClosePeriod": border.unary(f"{SERVICE}/ClosePeriod", close),
        }

    async def _close(self, asked: pb.ClosePeriodRequest, rpc: Rpc) -> bytes:
        """Refused before it is audited, if it cannot be closed. Raises Refusal, Relayed."""
        who = actor(rpc)
        rehearsed = pb.ClosePeriodRequest(month=asked.month, force=asked.force, dry_run=True)
        expected = await self._relay.passed(rehearsed.SerializeToString(), rpc)
        if asked.dry_run:
            return expected
        period = pb.ClosePeriodResponse.FromString(expected).period
        after = {"cost_usd": period.cost_usd, "corrections_usd": period.corrections_usd, "force": asked.force}
        await self._plane.change(
            who, lambda change: change.note("period.close", DEFAULT_WORKSPACE, period.month, after=after)
        )
        return await self._relay.passed(asked.SerializeToString(), rpc, (ACTOR_KEY, who.name))

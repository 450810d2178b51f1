"""RerateCalls: past calls at the prices in force at their own time; the old values are kept, with the reason."""

from __future__ import annotations

import asyncio
import re

from sidecar.core import ids
from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE, Actor
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.core.money import usd_text
from sidecar.edge.access import actor, wrong
from sidecar.edge.moments import ns_of
from sidecar.edge.rpc import Rpc
from sidecar.plane.book import at_most
from sidecar.plane.ledger import LedgerAway
from sidecar.plane.plane import ControlPlane
from sidecar.plane.rerating import Rerater, Sums
from taximeter.ledger.v1 import ledger_pb2
from taximeter.v1 import metering_pb2
from taximeter.v1 import prices_pb2 as pb

MAX_REASON = 512
MOST_RATES = 200
_ID = re.compile(r"rer_[0-9A-HJKMNP-TV-Z]{26}")


class Rerating:
    def __init__(self, plane: ControlPlane, rerater: Rerater, clock: Clock) -> None:
        self._plane = plane
        self._rerater = rerater
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, asked: pb.RerateCallsRequest, rpc: Rpc) -> pb.RerateCallsResponse:
        """Audited before the first row changes. Raises Refusal."""
        which, reason = self._which(asked), _reason(asked)
        rerating_id = asked.rerating_id or f"rer_{ids.ulid()}"
        if not _ID.fullmatch(rerating_id):
            raise wrong("rerating_id", "is not one that a re-rating was given")
        who = actor(rpc)
        revising = None
        async with self._one_at_a_time:
            if not asked.dry_run:
                await self._note(rerating_id, which, reason, who)
                revising = ledger_pb2.ReviseCostsRequest(
                    rerating_id=rerating_id, reason=reason, actor=who.name, at_ns=self._clock.wall_ns()
                )
            try:
                sums = await self._rerater.run(which, revising)
            except LedgerAway as away:
                raise _away(away, "" if asked.dry_run else rerating_id) from None
        return _message(sums, "" if asked.dry_run else rerating_id)

    def _which(self, asked: pb.RerateCallsRequest) -> ledger_pb2.ListRatableRequest:
        if not asked.period.HasField("start"):
            raise wrong("period.start", "is required: re-rating reaches as far back as you say")
        start_ns = ns_of(asked.period.start, "period.start")
        end_ns = ns_of(asked.period.end, "period.end") if asked.period.HasField("end") else self._clock.wall_ns()
        if end_ns <= start_ns:
            raise wrong("period.end", "is not behind its start")
        return ledger_pb2.ListRatableRequest(
            start_ns=start_ns,
            end_ns=end_ns,
            provider=asked.provider,
            model=asked.model,
            unpriced_only=asked.unpriced_only,
        )

    async def _note(self, rerating_id: str, which: ledger_pb2.ListRatableRequest, reason: str, who: Actor) -> None:
        """Raises Refusal (CONTROL_UNAVAILABLE): what cannot be audited is not done."""
        after = {
            "reason": reason,
            "start_ns": which.start_ns,
            "end_ns": which.end_ns,
            "provider": which.provider,
            "model": which.model,
            "unpriced_only": which.unpriced_only,
        }
        await self._plane.change(
            who, lambda change: change.note("price.rerate", DEFAULT_WORKSPACE, rerating_id, after=after)
        )


def _reason(asked: pb.RerateCallsRequest) -> str:
    reason = asked.reason.strip()
    if not reason and not asked.dry_run:
        raise wrong("reason", "is required: it stands beside every value that changes")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise wrong("reason", f"must have at most {MAX_REASON} characters, all printable")
    return reason


def _away(away: LedgerAway, rerating_id: str) -> Refusal:
    go_on = f"; what was done stays, and `--resume {rerating_id}` goes on with it" if rerating_id else ""
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.LEDGER_UNAVAILABLE,
        f"The ledger does not answer ({away}): start the bookkeeper with `taximeter bookkeeper`{go_on}.",
        {"rerating_id": rerating_id},
        retry_after_s=1.0,
    )


def _message(sums: Sums, rerating_id: str) -> pb.RerateCallsResponse:
    rates = sorted(sums.used.items(), key=lambda each: -each[1][1])[:MOST_RATES]
    return pb.RerateCallsResponse(
        calls=sums.calls,
        changed=sums.changed,
        cost_before_usd=usd_text(sums.before),
        cost_after_usd=usd_text(sums.after),
        newly_priced=sums.newly_priced,
        rerating_id=rerating_id,
        rates=[
            metering_pb2.CostLine(
                meter=meter,
                quantity=at_most(quantity),
                price_per_million_picodollars=price,
                cost_picodollars=at_most(cost),
            )
            for (meter, price), (quantity, cost) in rates
        ],
    )

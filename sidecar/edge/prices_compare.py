"""ComparePrices: where two sources give different prices for the same model."""

from __future__ import annotations

import asyncio
import math

from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.access import wrong
from sidecar.edge.metering import timestamp
from sidecar.edge.rpc import Rpc
from sidecar.plane.price_tables import PriceTables
from sidecar.pricing import PriceFileError
from sidecar.pricing.compare import Difference
from taximeter.v1 import invocation_pb2
from taximeter.v1 import prices_pb2 as pb

MOST_TOLD = 10_000
MOST_ERRORS = 20


class Comparing:
    def __init__(self, tables: PriceTables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def answer(self, asked: pb.ComparePricesRequest, rpc: Rpc) -> pb.ComparePricesResponse:  # noqa: ARG002 - prices hold for all
        """Raises Refusal (INVALID_REQUEST) with everything that is wrong with the table."""
        tolerance = asked.tolerance_percent
        if not math.isfinite(tolerance) or tolerance < 0:
            raise wrong("tolerance_percent", "is less than nothing")
        try:
            found = await asyncio.to_thread(self._tables.compared, asked.table, tolerance_percent=tolerance)
        except PriceFileError as bad:
            errors = bad.errors[:MOST_ERRORS]
            raise Refusal(
                "INVALID_ARGUMENT",
                RefusalReason.INVALID_REQUEST,
                "; ".join(errors),
                field_violations=tuple(("table", error) for error in errors),
            ) from None
        return pb.ComparePricesResponse(
            differences=map(_message, found.differences[:MOST_TOLD]),
            models_compared=found.compared,
            models_missing=found.missing,
            at=timestamp(self._clock.wall_ns()),
        )


def _message(each: Difference) -> pb.PriceDifference:
    return pb.PriceDifference(
        ref=invocation_pb2.ModelRef(provider=each.provider, model=each.model),
        meter=each.meter,
        ours=each.ours,
        theirs=each.theirs,
        our_source=each.our_source,
        percent=each.percent,
    )

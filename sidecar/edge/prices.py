"""PriceService: an operator's own prices, compared with others, and past calls priced anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sidecar.core import ids
from sidecar.core.control import Control, PriceOverride
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import prices_messages as messages
from sidecar.edge.access import actor
from sidecar.edge.prices_compare import Comparing
from sidecar.edge.prices_rerate import Rerating
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import prices_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["PriceService"].full_name
MOST = 5000
"""Prices that the control plane holds."""


class PriceService:
    def __init__(self, plane: ControlPlane, comparing: Comparing, rerating: Rerating) -> None:
        self._plane = plane
        self._comparing = comparing
        self._rerating = rerating

    def handlers(self, border: Border) -> Handlers:
        questions: dict[str, tuple[type[Message], Callable[[Any, Rpc], Awaitable[Message]]]] = {
            "SetPrice": (pb.SetPriceRequest, self._set),
            "ListPriceOverrides": (pb.ListPriceOverridesRequest, self._list),
            "RemovePrice": (pb.RemovePriceRequest, self._remove),
            "ComparePrices": (pb.ComparePricesRequest, self._comparing.answer),
            "RerateCalls": (pb.RerateCallsRequest, self._rerating.answer),
        }

        def handler(name: str) -> grpc.RpcMethodHandler[Any, Any]:
            kind, answer = questions[name]

            async def ask(body: bytes, rpc: Rpc) -> bytes:
                return (await answer(border.parse(kind, body), rpc)).SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        return {name: handler(name) for name in questions}

    async def _set(self, asked: pb.SetPriceRequest, rpc: Rpc) -> pb.SetPriceResponse:
        """In the place of one for the same provider, model and day: that one's calls keep its id as their version."""
        who = actor(rpc)
        said = replace(messages.price_in(asked.price), price_id=f"prc_{ids.ulid()}", created_by=who.name)

        def put(change: Change) -> PriceOverride:
            price = replace(said, created_ns=change.now_ns)
            for old in change.control.prices:
                if (old.provider, old.model, old.effective) == (price.provider, price.model, price.effective):
                    change.remove("price.remove", old)
            if len(change.control.prices) >= MOST:
                raise _full()
            change.put("price.set", price)
            return price

        return pb.SetPriceResponse(price=messages.price_message(await self._plane.change(who, put)))

    async def _list(self, _: pb.ListPriceOverridesRequest, rpc: Rpc) -> pb.ListPriceOverridesResponse:  # noqa: ARG002 - they hold for all
        found = sorted(self._plane.control.prices, key=lambda each: (each.provider, each.model, each.effective))
        return pb.ListPriceOverridesResponse(prices=map(messages.price_message, found))

    async def _remove(self, asked: pb.RemovePriceRequest, rpc: Rpc) -> pb.RemovePriceResponse:
        def remove(change: Change) -> None:
            change.remove("price.remove", _known(change.control, asked.price_id))

        await self._plane.change(actor(rpc), remove)
        return pb.RemovePriceResponse()


def _known(control: Control, price_id: str) -> PriceOverride:
    for price in control.prices:
        if price.price_id == price_id:
            return price
    raise Refusal(
        "NOT_FOUND",
        RefusalReason.UNKNOWN_PRICE,
        f"There is no price {price_id!r}. `taximeter prices overrides` shows those there are.",
    )


def _full() -> Refusal:
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.INVALID_REQUEST,
        f"There are {MOST} prices already: take away some that no call needs any more, or put many into a file "
        "(TAXIMETER_PRICES_FILE).",
    )

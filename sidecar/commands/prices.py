"""`taximeter prices`: listed, set and taken away through the sidecar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import fail, out, print_json
from sidecar.commands.tables import show_table
from sidecar.core.money import usd_text

if TYPE_CHECKING:
    from taximeter.v1 import catalog_pb2
    from taximeter.v1 import prices_pb2 as pb
    from taximeter.v1.prices_pb2_grpc import PriceServiceStub

PRICES = ("provider", "model", "rates", "source", "version", "dated")
OVERRIDES = ("price", "provider", "model", "rates", "from", "source", "set", "by")
_RATE = re.compile(r"([a-z0-9_]+)(?:@(\d{1,12}))?=(\S+)")
_EACH = {"requests": ("requests", 1_000_000), "images": ("images", 1_000_000), "milliseconds": ("seconds", 1000)}
"""Meters whose price is told for one: the name, and what part of a million that is."""


def list_(provider: str, model: str, *, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import catalog_pb2
    from taximeter.v1.catalog_pb2_grpc import CatalogServiceStub

    with client(address) as connected:
        asked = catalog_pb2.ListPricesRequest(provider=provider, model=model)
        found = connected.service(CatalogServiceStub).ListPrices(asked).prices
    if as_json:
        for each in found:
            told(each)
    elif found:
        show_table(PRICES, map(_row, found), whole=("provider", "model"), spare=("version", "dated"), wide=wide)
        out.print("\nUS dollars: for a million tokens or characters; each request, image or second.", style="dim")
    else:
        out.print("no price is known of these: `taximeter prices set` sets one")
    return Exit.OK


def set_(
    provider: str, model: str, rates: Sequence[str], effective: str, source: str, *, address: str, as_json: bool
) -> int:
    """Returns an exit code."""
    from taximeter.v1 import prices_pb2 as pb

    said = pb.PriceOverride(provider=provider, model=model, effective=effective, source=source, rates=map(_rate, rates))
    with prices(address) as service:
        made = service.SetPrice(pb.SetPriceRequest(price=said)).price
    if as_json:
        told(made)
    else:
        since = f"from {made.effective} on" if made.effective else "always"
        out.print(f"{made.price_id}: {made.provider}/{made.model} {_own(made)}, {since}", markup=False)
    return Exit.OK


def overrides(*, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import prices_pb2 as pb

    with prices(address) as service:
        found = service.ListPriceOverrides(pb.ListPriceOverridesRequest()).prices
    if as_json:
        for each in found:
            told(each)
    elif found:
        rows = [
            (
                *(each.price_id, each.provider, each.model, _own(each), each.effective or "always", each.source),
                f"{each.created_at.ToDatetime(UTC):%Y-%m-%d}",
                each.created_by,
            )
            for each in found
        ]
        show_table(OVERRIDES, rows, whole=("price", "model"), spare=("by", "set", "source"), wide=wide)
    else:
        out.print("no price was set: `taximeter prices set PROVIDER MODEL input=0.12 output=0.48` sets one")
    return Exit.OK


def remove(price_id: str, *, address: str) -> int:
    """Returns an exit code."""
    from taximeter.v1 import prices_pb2 as pb

    with prices(address) as service:
        service.RemovePrice(pb.RemovePriceRequest(price_id=price_id))
    out.print(f"{price_id} is no more", markup=False)
    return Exit.OK


@contextmanager
def prices(address: str, timeout_s: float = 30.0) -> Iterator[PriceServiceStub]:
    from taximeter.v1.prices_pb2_grpc import PriceServiceStub

    with client(address, timeout_s) as connected:
        yield connected.service(PriceServiceStub)


def told(message: Any) -> None:
    """As JSON."""
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(message))


def _rate(text: str) -> pb.PriceRate:
    from taximeter.v1 import prices_pb2 as pb

    found = _RATE.fullmatch(text)
    if found is None:
        fail(f"{text!r} is no rate: write input=0.12, or input@200000=0.24 for calls with more tokens in", Exit.USAGE)
    return pb.PriceRate(meter=found[1], usd=found[3], above_input_tokens=int(found[2] or 0))


def _row(price: catalog_pb2.Price) -> tuple[str, ...]:
    told = [rate_text(each.meter, each.price_per_million_picodollars) for each in price.rates]
    rates = ", ".join(told) if any(each.price_per_million_picodollars for each in price.rates) else "$0"
    return price.ref.provider, price.ref.model, rates, price.source, price.version, price.dated


def rate_text(meter: str, per_million: int) -> str:
    """ "input $0.15", "images $0.04" """
    name, parts = _EACH.get(meter, (meter, 1))
    return f"{name} ${usd_text(per_million // parts)}"


def _own(price: pb.PriceOverride) -> str:
    return ", ".join(
        f"{each.meter} ${each.usd}" + (f" above {each.above_input_tokens:,}" if each.above_input_tokens else "")
        for each in price.rates
    )

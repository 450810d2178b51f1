"""Prices of the control plane: what a request says, and what is told of one."""

from __future__ import annotations

from sidecar.core.control import PriceOverride
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.metering import timestamp
from sidecar.pricing.held import mistakes
from taximeter.v1 import prices_pb2 as pb

MAX_NAME, MAX_SOURCE, MAX_RATES = 256, 512, 64
Wrong = list[tuple[str, str]]
"""(field path, what is wrong there)."""


def price_in(said: pb.PriceOverride) -> PriceOverride:
    """Without id, time and maker. Raises Refusal (INVALID_REQUEST) with everything that is wrong."""
    wrong: Wrong = []
    if said.price_id:
        wrong.append(("price.price_id", "is given by the sidecar: the same provider, model and day replace a price"))
    if len(said.rates) > MAX_RATES:
        wrong.append(("price.rates", f"are more than {MAX_RATES}"))
    price = PriceOverride(
        price_id="",
        provider=_text("provider", said.provider, MAX_NAME, wrong).lower(),
        model=_text("model", said.model, MAX_NAME, wrong).lower(),
        rates=tuple((rate.meter, rate.usd.strip(), rate.above_input_tokens) for rate in said.rates[:MAX_RATES]),
        effective=said.effective.strip(),
        source=_text("source", said.source, MAX_SOURCE, wrong),
    )
    wrong += [("price", mistake) for mistake in mistakes(price)]
    if wrong:
        told = "; ".join(f"{field}: {what}" for field, what in wrong)
        raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, told, field_violations=tuple(wrong))
    return price


def price_message(price: PriceOverride) -> pb.PriceOverride:
    return pb.PriceOverride(
        price_id=price.price_id,
        provider=price.provider,
        model=price.model,
        rates=[pb.PriceRate(meter=meter, usd=usd, above_input_tokens=above) for meter, usd, above in price.rates],
        effective=price.effective,
        source=price.source,
        created_at=timestamp(price.created_ns),
        created_by=price.created_by,
    )


def _text(field: str, raw: str, most: int, wrong: Wrong) -> str:
    text = raw.strip()
    if len(text) > most or not text.isprintable():
        wrong.append((f"price.{field}", f"must have at most {most} characters, all printable"))
    return text

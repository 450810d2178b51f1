"""Figures within sentences: short, for a person to read and check."""

from __future__ import annotations

from decimal import Decimal

from taximeter import fallbacks


def usd(amount: Decimal) -> str:
    """Cents from a dollar on, else three figures that tell something: "$1,204.50", "$0.00123", "$0"."""
    if amount == 0:
        return "$0"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}${size:,.2f}" if size >= 1 else f"{sign}${Decimal(f'{size:.3g}'):f}"


def price(per_million: Decimal) -> str:
    """A price for a million: at least cents, and every digit behind them that tells something, up to six."""
    whole, _, decimals = f"{per_million:,.6f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')} per million"


def count(number: float | Decimal) -> str:
    return f"{number:,.0f}"


def noun(number: float | Decimal, things: str) -> str:
    """The plural `things` as one of them, where it is one: "calls" -> "call"."""
    return things.removesuffix("s") if number == 1 else things


def share(part: float) -> str:
    """0.1234 -> "12.3 %"."""
    return f"{100 * part:.1f} %"


def ms(time: float) -> str:
    return f"{time / 1000:.1f} s" if time >= 10_000 else f"{time:.0f} ms"


def lasting(time: float) -> str:
    """ms of many calls together: minutes from two on, hours from two on."""
    for unit, size in (("hours", 3_600_000), ("minutes", 60_000)):
        if time >= 2 * size:
            return f"{time / size:,.1f} {unit}"
    return ms(time)


def trouble(kind: str) -> str:
    """An error_type, a fallback_reason or a skip's reason: PROVIDER_ERROR and server_error -> "server error"."""
    return fallbacks.words(kind)


def target(provider: str, model: str) -> str:
    return f"{provider}/{model}"

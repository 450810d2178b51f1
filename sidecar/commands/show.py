"""How numbers and times look on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from analytics import words


def usd(amount: Decimal | None) -> str:
    """Dollars with as many decimals as tell something; an unknown amount is a dash, never a zero."""
    if amount is None:
        return "-"
    if amount == 0:
        return "$0"
    text = f"{amount:.12f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"${int(whole):,}.{decimals.ljust(2, '0')}"


def about(amount: Decimal, rounding: str = ROUND_HALF_EVEN) -> str:
    """Dollars of which nobody knows more: to the cent, below ten dollars to four digits that tell something."""
    digits = min(max(2, 3 - amount.adjusted()), 12) if amount else 2
    return usd(amount.quantize(Decimal(1).scaleb(-digits), rounding))


def count(number: float | None) -> str:
    """A count with thousands apart; an unknown one is a dash."""
    return "-" if number is None else f"{number:,.0f}"


def many(number: int, things: str) -> str:
    """ "1 call", "1,234 calls". `things`: in the plural."""
    return f"{count(number)} {words.noun(number, things)}"


def ms(number: float | None) -> str:
    """Milliseconds, or seconds from ten on."""
    if number is None:
        return "-"
    return f"{number / 1000:.1f} s" if number >= 10_000 else f"{number:.0f} ms"


def when(at: datetime | None, *, full: bool = True) -> str:
    """Local date and time of a UTC time without a zone; without `full` as much of it as tells it from others."""
    if at is None:
        return "-"
    local = at.replace(tzinfo=UTC).astimezone()
    if full:
        return f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{local:%H:%M:%S}" if local.date() == datetime.now(local.tzinfo).date() else f"{local:%m-%d %H:%M}"


def plain(value: Any) -> str:
    """A ledger's value as it stands there, readable."""
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3f}"
        case Decimal():
            return usd(value)
        case [(str(), str()), *_]:
            # Arrow gives a map as pairs.
            return ", ".join(f"{name}={each}" for name, each in dict(value).items())
        case _:
            return str(value)


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"

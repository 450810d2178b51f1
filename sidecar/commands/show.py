"""How numbers and times look on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal


def usd(amount: Decimal | None) -> str:
    """Dollars with as many decimals as tell something; an unknown amount is a dash, never a zero."""
    if amount is None:
        return "-"
    if amount == 0:
        return "$0"
    text = f"{amount:.12f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"${int(whole):,}.{decimals.ljust(2, '0')}"


def count(number: float | None) -> str:
    """A count with thousands apart; an unknown one is a dash."""
    return "-" if number is None else f"{number:,.0f}"


def ms(number: float | None) -> str:
    """Milliseconds, or seconds from ten on."""
    if number is None:
        return "-"
    return f"{number / 1000:.1f} s" if number >= 10_000 else f"{number:.0f} ms"


def when(at: datetime | None) -> str:
    """Local time of day and date of a UTC time without a zone."""
    if at is None:
        return "-"
    return at.replace(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"

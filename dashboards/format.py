"""Figures as text. Money is exact unless it says otherwise; an absent figure is a dash, never 0."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from analytics import words

ABSENT = "—"
SAME = "0%"
"""Of a change: none that can be seen."""


def count(value: float | None) -> str:
    """1234 -> "1,234"; from a million on in short: "12.3M"."""
    if value is None:
        return ABSENT
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.1f}{unit}"
    return f"{value:,.0f}"


def many(number: float, things: str) -> str:
    """ "1 call", "1,234 calls". `things`: in the plural."""
    return f"{count(number)} {words.noun(number, things)}"


def money(usd: Decimal | None, *, unpriced: int = 0) -> str:
    """Rounded for reading: cents from a dollar on, else four figures. With unpriced calls it is a lower bound."""
    if not usd and unpriced:
        return "unknown"
    if usd is None:
        return ABSENT
    return f"{'≥ ' if unpriced else ''}{_rounded(usd)}"


def _rounded(usd: Decimal) -> str:
    if usd == 0:
        return "$0"
    if abs(usd) >= 1:
        return f"${usd:,.2f}"
    return f"${Decimal(f'{usd:.3g}'):f}"


def exact(usd: Decimal | None) -> str:
    """Every figure there is: "$0.000123"."""
    if usd is None:
        return "unpriced"
    text = f"{usd:,.12f}".rstrip("0").rstrip(".")
    return f"${text}"


def duration(ms: float | None) -> str:
    """ "85 ms", "1.24 s", "3.2 min"."""
    if ms is None:
        return ABSENT
    if ms < 999.5:
        return f"{ms:.0f} ms" if ms >= 10 or ms == 0 else f"{ms:.1f} ms"
    return f"{ms / 1000:.2f} s" if ms < 60_000 else f"{ms / 60_000:.1f} min"


def share(part: float, whole: float) -> str:
    """ "1.2%"; of nothing, a dash."""
    if not whole:
        return ABSENT
    percent = 100 * part / whole
    return f"{percent:.1f}%" if percent < 10 else f"{percent:.0f}%"


def change(now: float | Decimal | None, before: float | Decimal | None) -> str | None:
    """Against the period before: "+12%"; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    percent = 100 * (float(now) - float(before)) / float(before)
    if abs(percent) < 0.5:
        return SAME
    return f"{percent:+.0f}%" if abs(percent) < 999.5 else f"{float(now) / float(before):,.0f} times"


def time(at: datetime | None) -> str:
    """UTC, to the millisecond. The ledger's times have no zone."""
    if at is None:
        return ABSENT
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def span(start: datetime, end: datetime) -> str:
    """ "3 Nov 10:00 to 10 Nov 2026 10:00 UTC"; the first year too where they are not of the same."""
    form = "%-d %b %H:%M" if start.year == end.year else "%-d %b %Y %H:%M"
    return f"{start:{form}} to {end:%-d %b %Y %H:%M} UTC"

"""Calls with whatever meters and prices one likes, for tests of what is billed; and their FOCUS rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

import duckdb

from analytics.focus import Version, focus_question
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.core.call import (
    UNPRICED,
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    Target,
    Usage,
    UsageSource,
)
from sidecar.core.money import cost_picodollars
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import ns, settled

EXACT = Context(prec=80)
SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))
Lines = Sequence[tuple[str, int, str]]
"""(meter, quantity, USD for a million)"""


def priced(lines: Lines, source: str = "genai-prices") -> Cost:
    """As the rate card makes it: each line rounded half-even to the picodollar."""
    made = tuple(_line(meter, quantity, round(Decimal(usd) * 10**12)) for meter, quantity, usd in lines)
    return Cost(True, sum(line.cost_picodollars for line in made), source, "2026-10-01", made)


def _line(meter: str, quantity: int, price: int) -> CostLine:
    return CostLine(meter, quantity, price, cost_picodollars(quantity, price))


def call(
    seq: int,
    at: datetime,
    lines: Lines | None,
    *,
    provider: tuple[str, str, str] = ("openai", "openai", "gpt-5"),
    owner: str = "platform",
    source: UsageSource = UsageSource.REPORTED,
    price_source: str = "genai-prices",
    **more: Any,
) -> CallRecord:
    """One attempt. `lines` None: no price is known. `provider`: account, type, model."""
    account, kind, model = provider
    attempt = Attempt(
        1, Target(account, model), kind, AttemptStatus.OK, ns(at), ns(at) + 10**9, key_owner=owner,
        usage=Usage(input=1000, output=200), usage_source=source,
        cost=UNPRICED if lines is None else priced(lines, price_source),
    )  # fmt: skip
    return settled(seq, ns(at), [attempt], CallStatus.OK, **more)


def book(ledger: Ledger, records: Iterable[CallRecord], since: int = 0) -> None:
    """As one batch of the journal, which has come to `since`."""
    frames = [journal_pb2.Frame(finished=to_proto(record)) for record in records]
    ledger.book(fold("sidecar-a", (0, since), (0, since + len(frames)), frames))


def focus(
    reader: duckdb.DuckDBPyConnection,
    first: date,
    behind: date,
    version: Version = Version.V1_2,
    filters: Mapping[str, str | Sequence[str]] | None = None,
) -> list[dict[str, Any]]:
    question = focus_question(first, behind, version, filters)
    return reader.execute(question.sql, question.params).to_arrow_table().to_pylist()


def billed(found: Iterable[Mapping[str, Any]]) -> Decimal:
    """Their sum, exactly."""
    total = Decimal(0)
    for row in found:
        total = EXACT.add(total, row["BilledCost"])
    return total


def of_the_ledger(reader: duckdb.DuckDBPyConnection) -> Decimal:
    """What all attempts together cost, from their own rows."""
    found = reader.execute("SELECT coalesce(sum(cost_usd), 0) FROM attempts").fetchone()
    return Decimal(found[0]) if found else Decimal(0)


def on(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)

"""Calls one by one as a test wants them, and a month with something to report on: each report has its row there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.core.call import NO_COST, Attempt, AttemptStatus, CallRecord, CallStatus, Target, Usage, UsageSource
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import ns, priced, settled
from tests.support.analytics_week import week
from tests.support.blank import blank

BEGIN = datetime(2025, 9, 29, tzinfo=UTC)
"""A Monday."""
END = datetime(2025, 11, 3, tzinfo=UTC)
OUTLIER = datetime(2025, 10, 22, tzinfo=UTC)
"""A Wednesday on which the caller `importer` sent 120 long prompts."""
NOW = datetime(2025, 11, 2, 12, tzinfo=UTC)
"""When budgets are looked at."""
PRICES = {
    "claude": {"input": Decimal(3), "cache_read": Decimal("0.3"), "output": Decimal(15)},
    "llama": {"input": Decimal("0.5"), "output": Decimal(1)},
    "gpt": {"input": Decimal("1.25"), "cache_read": Decimal("0.125"), "output": Decimal(10)},
}
_USD = 10**12


class Try(NamedTuple):
    """One attempt: where, whether it answered, tokens, how long."""

    provider: str
    model: str
    ok: bool = True
    tokens_in: int = 1000
    tokens_out: int = 100
    cached: int = 0
    ms: int = 1000
    usd: str | None = None
    """What a failed one cost; else as PRICES has it."""


def call(seq: int, at: datetime, tries: Sequence[Try], **more: Any) -> CallRecord:
    """The record of a call that made these attempts one after the other."""
    attempts, started = [], ns(at)
    for number, each in enumerate(tries, 1):
        attempts.append(_attempt(number, each, started))
        started += each.ms * 10**6
    status = CallStatus.OK if tries and tries[-1].ok else CallStatus.ERROR
    reason = "PROVIDER_ERROR" if len(tries) > 1 else ""
    error = "" if status is CallStatus.OK else "server_error"
    facts = {"alias": "smart", "caller": "web", "fallback_reason": reason, "error_type": error}
    facts["call_id"] = f"01R{seq:023d}"
    return settled(seq, ns(at), attempts, status, **(facts | more))


def _attempt(number: int, each: Try, started: int) -> Attempt:
    usage = Usage(input=each.tokens_in, cache_read=each.cached, output=each.tokens_out) if each.ok else Usage()
    cost = priced(PRICES[each.model], usage) if each.ok else NO_COST
    if not each.ok and each.usd:
        cost = priced({"input": Decimal(each.usd)}, Usage(input=10**6, output=0))
    return Attempt(
        number,
        Target(each.provider, each.model),
        each.provider,
        AttemptStatus.OK if each.ok else AttemptStatus.FAILED,
        started,
        started + each.ms * 10**6,
        error_type="" if each.ok else "server_error",
        http_status=200 if each.ok else 503,
        key_id=f"{each.provider}-1",
        usage=usage,
        usage_source=UsageSource.REPORTED if each.ok or each.usd else UsageSource.NONE,
        cost=cost,
    )


def month() -> list[CallRecord]:
    """Five weeks of everyday calls; a day of long prompts; a chain that is dead to its end; drafts by two models."""
    everyday = [record for number in range(5) for record in week(BEGIN + timedelta(weeks=number + 1), 200, seed=number)]
    imported = [
        call(0, OUTLIER + timedelta(minutes=seconds), [Try("openai", "gpt", tokens_in=20_000, tokens_out=1000)],
             caller="importer", tags={"team": "blue"})
        for seconds in range(120)
    ]  # fmt: skip
    archived = [
        call(0, BEGIN + timedelta(hours=20 * place), [Try("openai", "gpt", ok=False), Try("attic", "old", ok=False)],
             alias="archive")
        for place in range(25)
    ]  # fmt: skip
    drafted = [
        call(0, BEGIN + timedelta(days=4, hours=place), [Try(*target)], alias="drafts", caller="mail")
        for place in range(40) for target in (("anthropic", "claude"), ("groq", "llama"))
    ]  # fmt: skip
    records = sorted([*everyday, *imported, *archived, *drafted], key=lambda record: record.started_ns)
    return [replace(record, seq=seq, call_id=f"01R{seq:023d}") for seq, record in enumerate(records)]


def budget(
    budget_id: str, *, unit: str = "usd", limit: int = 20, spent: int = 1, **more: Any
) -> journal_pb2.BudgetState:
    """Of the workspace default, for November 2025 to begin with. Amounts in dollars, or counts."""
    factor = _USD if unit == "usd" else 1
    measure = journal_pb2.BudgetMeasure(unit=unit, limit=limit * factor, spent=spent * factor, held=0)
    window = {"window_start_ns": ns(datetime(2025, 11, 1, tzinfo=UTC)),
              "window_end_ns": ns(datetime(2025, 12, 1, tzinfo=UTC))}  # fmt: skip
    facts: dict[str, Any] = {"name": budget_id, "workspace": "default", "scope": "workspace", "subject": "", **window}
    return journal_pb2.BudgetState(budget_id=budget_id, measures=[measure], **(facts | more))


def ledger_of(
    path: Path,
    records: Sequence[CallRecord],
    budgets: Sequence[journal_pb2.BudgetState] = (),
    sidecar: str = "sidecar-a",
) -> Path:
    """A ledger of these, as the bookkeeper writes it; one that is there is added to."""
    frames = [journal_pb2.Frame(finished=to_proto(record)) for record in records]
    if budgets:
        frames.append(journal_pb2.Frame(state=journal_pb2.State(at_ns=ns(NOW), budgets=budgets)))
    ledger = Ledger(blank(path))
    try:
        ledger.book(fold(sidecar, (0, 0), (0, len(frames)), frames))
    finally:
        ledger.close()
    return path

"""Writes calls into a journal at a steady rate, through the real writer.

Run as a process: `python -m tests.support.journal_load HOME CALLS_A_SECOND SECONDS`. Prints how many it wrote.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from sidecar.core import ids
from sidecar.core.call import (
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
from sidecar.core.clock import Clock
from sidecar.journal import Journal, JournalPolicy

PROVIDERS = (("openai", "gpt-4o-mini"), ("groq", "llama-3.1-8b-instant"), ("mistral", "mistral-small-latest"))
TICK_S = 0.02


def finished(sidecar_id: str, seq: int, chance: random.Random) -> CallRecord:
    """A call that has just been answered."""
    now, took = time.time_ns(), chance.randrange(200_000_000, 3_000_000_000)
    provider, model = chance.choice(PROVIDERS)
    usage = Usage(input=chance.randrange(50, 4000), output=chance.randrange(10, 800))
    lines = (
        CostLine("input", usage.input or 0, 150_000_000_000, (usage.input or 0) * 150_000),
        CostLine("output", usage.output or 0, 600_000_000_000, (usage.output or 0) * 600_000),
    )
    cost = Cost(True, sum(line.cost_picodollars for line in lines), "override", "load", lines)
    attempt = Attempt(
        number=1,
        target=Target(provider, model),
        provider_type=provider,
        status=AttemptStatus.OK,
        started_ns=now - took,
        ended_ns=now,
        model_reported=model,
        usage=usage,
        usage_source=UsageSource.REPORTED,
        cost=cost,
        span_id=ids.span_id(),
    )
    return CallRecord(
        sidecar_id=sidecar_id,
        seq=seq,
        call_id=ids.ulid(),
        workspace="default",
        caller="",
        operation="chat",
        streamed=False,
        status=CallStatus.OK,
        started_ns=now - took,
        ended_ns=now,
        duration_ns=took,
        trace_id=ids.trace_id(),
        server_span_id=ids.span_id(),
        invoke_span_id=ids.span_id(),
        alias=chance.choice(("smart", "fast")),
        provider_of_record=provider,
        provider_type=provider,
        model_requested=model,
        model_reported=model,
        attempts=(attempt,),
        usage=usage,
        usage_source=UsageSource.REPORTED,
        cost=cost,
        provider_ns=took,
    )


def _give_up(error: BaseException) -> None:
    sys.exit(str(error))


async def write(home: Path, rate: int, seconds: float) -> int:
    """Starts and finishes `rate` calls a second; returns how many are on disk."""
    clock, chance, written = Clock(), random.Random(1), 0
    journal = Journal.open(
        home / "journal", ids.ulid(), JournalPolicy(), clock, on_failure=lambda error: sys.exit(str(error))
    )
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        durable = []
        while written < rate * elapsed:
            record = finished(journal.sidecar_id, journal.begin(), chance)
            journal.started(replace(record, status=CallStatus.OPEN))
            durable.append(journal.finished(record))
            written += 1
        await asyncio.gather(*durable)
        await asyncio.sleep(TICK_S)
    await journal.close()
    return written


if __name__ == "__main__":
    print(asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))

"""With the real journal and the real prices: what is told is what stands in the book."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sidecar.budget import Budgets
from sidecar.core.call import AttemptStatus, CallRecord, CallStatus
from sidecar.core.clock import Clock
from sidecar.health import Health
from sidecar.invoker import Invoker, abandoning
from sidecar.journal import Journal, JournalPolicy, Tail, recover
from sidecar.journal.records import from_proto
from sidecar.limits import Limits
from sidecar.pricing import Pricing
from sidecar.pricing.estimate import estimate
from sidecar.providers.registry import wire
from sidecar.providers.transport import HttpxTransport
from tests.support import hostile as on
from tests.support.hostile import hostile
from tests.support.rig import Notes, catalog_of, chat


def finished(directory: Path) -> list[CallRecord]:
    frames = [entry.frame for entry in Tail(directory / "S").read()]
    return [from_proto(frame.finished) for frame in frames if frame.HasField("finished")]


async def test_the_book_holds_what_the_caller_was_told_and_recovers_the_rest(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "S", JournalPolicy(1 << 20), Clock(), lambda _: None)
    async with hostile(on.answer("hello there"), on.silence) as a:
        catalog, pricing, transport = catalog_of([a.base_url]), Pricing(), HttpxTransport()
        invoker = Invoker(
            catalog=lambda _: catalog, wires=wire, transport=transport, pricing=pricing, estimate=estimate,
            journal=journal, health=Health(catalog.breaker, Clock()), limits=Limits(Clock()), budgets=Budgets(Clock()),
            clock=Clock(), random=lambda: 0.5, log=Notes(),
        )  # fmt: skip
        outcome = await invoker.invoke(chat())
        (written,) = finished(tmp_path)
        assert written == outcome.record
        assert not written.cost.priced, "nobody prices the model of account a"

        task = asyncio.create_task(invoker.invoke(chat()))
        while len(a.hits) < 2:
            await asyncio.sleep(0.002)
        copy = tmp_path / "copy"
        (copy / "S").mkdir(parents=True)
        for segment in (tmp_path / "S").iterdir():
            (copy / "S" / segment.name).write_bytes(segment.read_bytes())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()
    await journal.close()
    assert [record.status for record in finished(tmp_path)] == [CallStatus.OK, CallStatus.CANCELLED]

    assert recover(copy, Clock(), abandoning(catalog, pricing, estimate)) == 1
    answered, abandoned = finished(copy)
    assert (answered.status, abandoned.status, abandoned.seq) == (CallStatus.OK, CallStatus.ABANDONED, 2)
    assert (abandoned.attempts[0].status, abandoned.maybe_billed) == (AttemptStatus.ABANDONED, True)

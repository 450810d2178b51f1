"""`python -m tests.conformance.report`: replays the recordings and writes docs/conformance.md."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sidecar.providers.transport import HttpxTransport
from tests.conformance.cases import on_the_openai_wire
from tests.conformance.check import Verdict, check, explained
from tests.conformance.drive import Driver, through_codec
from tests.conformance.sidecar import running
from tests.support.providers_replay import Exchange, Replay, load, replaying

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"

INTRODUCTION = """\
# Conformance of the OpenAI wire

Requests and answers that public projects recorded against the real services, against a loopback server that answers as
recorded; each asked twice:

- **codec**: our codec and HTTP engine alone;
- **sidecar**: a real sidecar process, asked by gRPC for exactly this model at an account of that provider's row
  (`Invoke` or `InvokeStream`), with a bookkeeper behind it.

Compared are: text, reasoning, refusal, tool calls (id, name, arguments), finish reason and model of each choice;
vectors and moderation scores; usage as the provider reported it; of errors the status, the kind of fault and the
provider's words (of the sidecar also gRPC status and reason); and the request that we send, field by field, with the
recorded one (absent and empty, one and a list of one, `max_tokens` and `max_completion_tokens` count as the same).
**Booked**: the ledger has one row of the call, with the usage, its source, the cost, the price's source, the model and
the number of attempts that the caller was told.

Run it again: `TAXIMETER_RECORDINGS=<folder> python -m tests.conformance.report` from the project's root; the same
checks are tests (`tests/conformance/`) that skip where the variable is not set. The recordings are not part of the
project. This page is written by that command.
"""


@dataclass(frozen=True)
class Found:
    """What both ways came to; the verdicts in the same order."""

    codec: list[Verdict]
    sidecar: list[Verdict]
    misbooked: dict[str, list[str]]
    """Exchange id -> what the ledger says otherwise; "" -> rows of no exchange."""

    @property
    def unexplained(self) -> list[str]:
        misses = [miss for verdict in (*self.codec, *self.sidecar) for miss in verdict.misses if not explained(miss)]
        return misses + [miss for misses in self.misbooked.values() for miss in misses]


async def find(folder: Path) -> Found:
    exchanges = {exchange.id: exchange for exchange in load(folder) if on_the_openai_wire(exchange)}
    transport = HttpxTransport()
    async with replaying(exchanges) as replay:
        codec = await _verdicts(exchanges, through_codec(transport), replay)
        await transport.close()
        async with running(exchanges, replay) as sidecar:
            asked = await _verdicts(exchanges, sidecar.drive, replay)
            misbooked = await asyncio.to_thread(sidecar.misbooked)
    return Found(codec, asked, misbooked)


async def _verdicts(exchanges: Mapping[str, Exchange], driver: Driver, replay: Replay) -> list[Verdict]:
    found = [await check(exchange, driver, replay) for exchange in exchanges.values()]
    return sorted(found, key=lambda verdict: (_group(verdict), verdict.exchange.id))


def page(found: Found) -> str:
    lines = [INTRODUCTION, f"As of {datetime.now(UTC):%Y-%m-%d}.", "", *_summary(found), "", *_misses(found), ""]
    lines += [*_through_options(found.codec)]
    return "\n".join(lines) + "\n"


def _group(verdict: Verdict) -> tuple[str, str, str]:
    exchange = verdict.exchange
    return exchange.provider, exchange.operation, "stream" if exchange.stream else "unary"


def _table(head: str, rows: Iterable[Iterable[object]]) -> Iterator[str]:
    names = head.split("|")
    yield f"| {' | '.join(names)} |"
    yield "|" + " --- |" * len(names)
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _summary(found: Found) -> Iterator[str]:
    def tally(verdicts: Iterable[Verdict]) -> Counter[tuple[str, str, str]]:
        return Counter(_group(verdict) for verdict in verdicts)

    columns = [
        tally(found.codec),
        tally(verdict for verdict in found.codec if verdict.exchange.status >= 400),
        tally(verdict for verdict in found.codec if not verdict.misses),
        tally(verdict for verdict in found.sidecar if not verdict.misses),
        tally(verdict for verdict in found.sidecar if verdict.exchange.id not in found.misbooked),
    ]
    exchanges, _, codec, sidecar, booked = (column.total() for column in columns)
    strangers = len(found.misbooked.get("", ()))
    yield f"**Of {exchanges} exchanges {codec} are as recorded in all that is compared through the codec, {sidecar}"
    yield f"through the sidecar; {booked} calls are booked as told, {strangers} rows are of no call.**"
    yield ""
    rows = [[*group, *(column[group] for column in columns)] for group in columns[0]]
    whole = ["all", "", "", *(column.total() for column in columns)]
    yield from _table(
        "provider|operation|kind|exchanges|of them errors|as recorded: codec|as recorded: sidecar|booked as told",
        [*rows, whole],
    )


def _misses(found: Found) -> Iterator[str]:
    yield "## What is not as recorded"
    yield ""
    rows = [
        [
            *_group(verdict),
            way,
            f"`{verdict.exchange.id}`",
            miss.replace("|", "\\|"),
            explained(miss) or "**unexplained**",
        ]
        for way, verdicts in (("codec", found.codec), ("sidecar", found.sidecar))
        for verdict in verdicts
        for miss in (*verdict.misses, *(found.misbooked.get(verdict.exchange.id, ()) if way == "sidecar" else ()))
    ]
    yield from _table("provider|operation|kind|way|exchange|difference|why", rows) if rows else ["Nothing."]


def _through_options(found: list[Verdict]) -> Iterator[str]:
    yield "## What went through `provider_options`"
    yield ""
    yield "Recorded fields that our API has no name for. `messages`, `tools` and `prompt` stand here where something in"
    yield "them has none (cache marks, documents, prefixes, prompts of token numbers)."
    yield ""
    used = Counter((verdict.exchange.provider, name) for verdict in found for name in verdict.through_options)
    yield from _table("provider|field|exchanges", [[*key, count] for key, count in sorted(used.items())])


def main() -> int:
    folder = os.environ.get("TAXIMETER_RECORDINGS")
    if not folder:
        print("TAXIMETER_RECORDINGS names no folder", file=sys.stderr)
        return 2
    found = asyncio.run(find(Path(folder)))
    PAGE.write_text(page(found), encoding="utf-8")
    for way, verdicts in (("codec", found.codec), ("sidecar", found.sidecar)):
        print(f"{way}: {len(verdicts)} exchanges, {sum(not each.misses for each in verdicts)} as recorded")
    print(f"{len(found.unexplained)} unexplained")
    return bool(found.unexplained)


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.conformance.report`: replays the recordings and writes docs/conformance.md."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sidecar.providers.transport import HttpxTransport
from tests.conformance.cases import on_the_openai_wire
from tests.conformance.check import EXPLAINED, Verdict, check, explained
from tests.conformance.drive import through_codec
from tests.support.providers_replay import load, replaying

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"

INTRODUCTION = """\
# Conformance of the OpenAI wire

Requests and answers that public projects recorded against the real services, put through our codec and HTTP engine
against a loopback server that answers as recorded. Compared are: text, reasoning, refusal, tool calls (id, name,
arguments), finish reason and model of each choice; vectors and moderation scores; usage as the provider reported
it; of errors the status, the kind of fault and the provider's words; and the request that we send, field by field, with
the recorded one (absent and empty, one and a list of one, `max_tokens` and `max_completion_tokens` count as the same).

Run it again: `TAXIMETER_RECORDINGS=<folder> python -m tests.conformance.report` from the project's root; the same check
is a test (`tests/conformance/test_recordings.py`) that skips where the variable is not set. The recordings are not part
of the project. This page is written by that command.
"""


async def verdicts(folder: Path) -> list[Verdict]:
    exchanges = {exchange.id: exchange for exchange in load(folder) if on_the_openai_wire(exchange)}
    transport = HttpxTransport()
    async with replaying(exchanges) as replay:
        found = [await check(exchange, through_codec(transport), replay) for exchange in exchanges.values()]
    await transport.close()
    return sorted(found, key=lambda verdict: (_group(verdict), verdict.exchange.id))


def page(found: list[Verdict]) -> str:
    lines = [INTRODUCTION, f"As of {datetime.now(UTC):%Y-%m-%d}.", "", *_summary(found), "", *_misses(found), ""]
    lines += [*_through_options(found)]
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


def _summary(found: list[Verdict]) -> Iterator[str]:
    total = Counter(map(_group, found))
    right: Counter[tuple[str, str, str]] = Counter()
    errors: Counter[tuple[str, str, str]] = Counter()
    for verdict in found:
        right[_group(verdict)] += not verdict.misses
        errors[_group(verdict)] += verdict.exchange.status >= 400
    yield f"**{sum(right.values())} of {len(found)} exchanges are as recorded in all that is compared.**"
    yield ""
    rows = [[*group, total[group], errors[group], right[group], total[group] - right[group]] for group in total]
    whole = ["all", "", "", len(found), sum(errors.values()), sum(right.values()), len(found) - sum(right.values())]
    yield from _table("provider|operation|kind|exchanges|of them errors|as recorded|not", [*rows, whole])


def _misses(found: list[Verdict]) -> Iterator[str]:
    yield "## What is not as recorded"
    yield ""
    rows = [
        [*_group(verdict), f"`{verdict.exchange.id}`", miss.replace("|", "\\|"), explained(miss) or "**unexplained**"]
        for verdict in found
        for miss in verdict.misses
    ]
    yield from _table("provider|operation|kind|exchange|difference|why", rows) if rows else ["Nothing."]


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
    found = asyncio.run(verdicts(Path(folder)))
    PAGE.write_text(page(found), encoding="utf-8")
    unexplained = [miss for verdict in found for miss in verdict.misses if miss not in dict(EXPLAINED)]
    print(f"{len(found)} exchanges, {sum(not v.misses for v in found)} as recorded, {len(unexplained)} unexplained")
    return bool(unexplained)


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.conformance.report`: replays the recordings and writes docs/conformance.md."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sidecar.providers.transport import HttpxTransport
from tests.conformance.check import Verdict, check
from tests.conformance.drive import through_codec
from tests.conformance.families import chosen, family_of
from tests.conformance.figure import ASPECTS, Group, beyond, differs, group_of
from tests.conformance.sidecar import through_sidecars
from tests.support.providers_replay import Exchange, load, replaying

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"

INTRODUCTION = """\
# Conformance with recorded provider traffic

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
    left_out: list[Exchange]
    """Of no family."""

    @property
    def unexplained(self) -> list[str]:
        misses = [miss for verdict in (*self.codec, *self.sidecar) for miss in verdict.unexplained]
        return misses + [miss for misses in self.misbooked.values() for miss in misses]


async def find(folder: Path) -> Found:
    exchanges = chosen(folder)
    transport = HttpxTransport()
    driver = through_codec(transport)
    async with replaying(exchanges) as replay:
        codec = [await check(exchange, driver, replay) for exchange in exchanges.values()]
    await transport.close()
    asked = await through_sidecars(exchanges)
    left_out = [exchange for exchange in load(folder) if exchange.id not in exchanges]
    return Found(sorted(codec, key=_place), sorted(asked.verdicts, key=_place), asked.misbooked, left_out)


def _place(verdict: Verdict) -> tuple[Group, str]:
    return group_of(verdict), verdict.exchange.id


def page(found: Found) -> str:
    lines = [INTRODUCTION, f"As of {datetime.now(UTC):%Y-%m-%d}.", "", *_summary(found), "", *_misses(found), ""]
    lines += [*_through_options(found.codec), "", *_left_out(found)]
    return "\n".join(lines) + "\n"


def _table(head: str, rows: Iterable[Iterable[object]]) -> Iterator[str]:
    names = head.split("|")
    yield f"| {' | '.join(names)} |"
    yield "|" + " --- |" * len(names)
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _summary(found: Found) -> Iterator[str]:
    def tally(verdicts: Iterable[Verdict]) -> Counter[tuple[str, str, str]]:
        return Counter(group_of(verdict) for verdict in verdicts)

    columns = {
        "exchanges": tally(found.sidecar),
        "of them errors": tally(verdict for verdict in found.sidecar if verdict.exchange.status >= 400),
        **{name: tally(verdict for verdict in found.sidecar if not differs(verdict, name)) for name in ASPECTS},
        "all, sidecar": tally(verdict for verdict in found.sidecar if not verdict.misses),
        "all, codec": tally(verdict for verdict in found.codec if not verdict.misses),
        "booked as told": tally(verdict for verdict in found.sidecar if verdict.exchange.id not in found.misbooked),
    }
    whole = {name: column.total() for name, column in columns.items()}
    strangers = len(found.misbooked.get("", ()))
    share = whole["usage"] / whole["exchanges"]
    yield f"**Of {whole['exchanges']} exchanges {whole['all, sidecar']} are as recorded in all that is compared through"
    yield f"the sidecar, {whole['all, codec']} through the codec; usage is as recorded in {whole['usage']}"
    yield f"({share:.1%}); {whole['booked as told']} calls are booked as told, {strangers} rows are of no call.**"
    yield ""
    yield "The columns from usage to request count what is as recorded through the sidecar."
    yield ""
    rows = [[*group, *(column[group] for column in columns.values())] for group in columns["exchanges"]]
    yield from _table("|".join(["provider", "operation", "kind", *columns]), [*rows, ["all", "", "", *whole.values()]])


def _left_out(found: Found) -> Iterator[str]:
    yield "## What was not asked again"
    yield ""
    yield "Operations and addresses that this version has no wire for (Cohere's version 1, Bedrock's `invoke`, threads)"
    yield "and recordings that are no one exchange: several answers in one file, Bedrock's events rewritten as text."
    yield ""
    counted = Counter((exchange.operation, exchange.provider) for exchange in found.left_out)
    by_operation: dict[str, list[str]] = {}
    for (operation, provider), count in sorted(counted.items()):
        by_operation.setdefault(operation, []).append(f"{provider} {count}")
    rows = [[operation, ", ".join(providers)] for operation, providers in by_operation.items()]
    yield from _table("operation|provider and number", rows)


def _misses(found: Found) -> Iterator[str]:
    yield "## What is not as recorded"
    yield ""
    rows = [
        [
            *group_of(verdict),
            way,
            f"`{verdict.exchange.id}`",
            miss.replace("|", "\\|"),
            family_of(verdict.exchange).why(verdict.exchange, miss) or "**unexplained**",
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
    for line in beyond(found.sidecar):
        print(line)
    print(f"{len(found.unexplained)} unexplained")
    return bool(found.unexplained)


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.failover.report`: plays every scenario and writes docs/failover.md."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.failover.flapping import DOWN_S, EVERY_S, FLAPPING, Flap
from tests.failover.play import Played, Seen, play
from tests.failover.rows import OTHER, WHOLE
from tests.failover.scenarios import SCENARIOS
from tests.failover.table import SCALE, Mode, Scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failover.md"

INTRODUCTION = """\
# What becomes of a call when providers misbehave

Every row below was played: a hostile provider on loopback does what the row says, a caller asks by gRPC, a real sidecar
process takes the call, a real bookkeeper books it. Each row is asked unary and streamed with each `stream_recovery`,
once with one fallback behind the primary and once with none. [Routing and failover](routing.md) has the rules.

`a` is a try at the primary, `b` one at the fallback, in their order. **Served**: the caller has the primary's whole
answer. **Rescued**: the fallback's whole answer, and is told so. Otherwise the reason of the error that the caller
gets, which names every attempt. An answer that broke off is never given out as a whole one: `ERROR` ends such a stream
with `STREAM_BROKEN`, `RESTART` begins anew behind a `Restarted` event, `BUFFER` holds content back until it is whole.

All waits are those of the defaults, times {scale}; times below are scaled back. Run it again:
`python -m tests.failover.report`. The same is asserted in detail by `pytest tests/failover`: requests and gaps as the
providers saw them, ledger rows and reasons, costs, GetCall, spans. This page is written by that command.
"""


def verdict(seen: Seen) -> str:
    """As a cell shows it."""
    if seen.error is not None:
        return f"`{seen.tried}` {seen.error.reason}"
    whole = {"a": WHOLE, "b": OTHER}[seen.tried[-1]]
    if seen.text != whole or not seen.finished:
        return f"`{seen.tried}` **TRUNCATED**"
    return f"`{seen.tried}` {'served' if seen.tried[-1] == 'a' else 'rescued'}"


def as_specified(seen: Seen) -> bool:
    cell = seen.case.cell
    said = seen.error.reason if seen.error is not None else ""
    booked = seen.row["fallback_reason"], seen.row["attempts"]
    return (seen.tried, said, booked) == (cell.tried, cell.refusal, (cell.moved, len(cell.tried)))


def page(played: Played) -> str:
    lines = [INTRODUCTION.format(scale=SCALE), f"As of {datetime.now(UTC):%Y-%m-%d}.", "", *_figures(played), ""]
    lines += ["## The sixteen", "", *_sixteen(played), ""]
    for fallback, title in ((True, "## Every row, with one fallback"), (False, "## Every row, without a fallback")):
        lines += [title, "", *_table(_every(played, fallback=fallback), ["what the primary does", *Mode]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _figures(played: Played) -> Iterator[str]:
    seen = list(played.seen.values())
    good = sum(as_specified(each) for each in seen)
    truncated = sum("TRUNCATED" in verdict(each) for each in seen)
    longest = max(seen, key=lambda each: each.wall_s - each.case.cell.waits_s * SCALE)
    yield f"- **{len(SCENARIOS)} scenarios, {len(seen)} calls: {good} as the rules say.**"
    yield f"- {truncated} truncated answers given out as whole."
    yield "- None hangs: beyond the waits that the rules grant, no call took more than"
    yield f"  {_beyond_s(longest):.1f} s of real time, back-offs and other work on the machine included."
    yield f"- None is hammered: three tries at one provider in one call never came within {_closest_s(seen):.1f} s."


def _beyond_s(seen: Seen) -> float:
    return seen.wall_s - seen.case.cell.waits_s * SCALE


def _closest_s(seen: Iterable[Seen]) -> float:
    """The shortest time in which a provider got three requests of one call, unscaled."""
    hits = (provider.hits for each in seen for provider in each.providers)
    return min(last - first for each in hits for first, last in zip(each, each[2:], strict=False)) / SCALE


def _sixteen(played: Played) -> Iterator[str]:
    """As the field's comparisons name them; with one fallback."""
    rows = [
        [scenario.classic, *_cells(played, scenario, fallback=True), _waits(scenario)]
        for scenario in SCENARIOS
        if scenario.classic
    ]
    rows.append([FLAPPING, *(_flapped(played.flaps[mode]) for mode in Mode), ""])
    yield from _table(rows, ["scenario", *Mode, "waits, unary / streamed"])
    yield ""
    yield "A filtered request ends with the provider's reason, as it should: another provider is not asked to overlook"
    yield "the filter. The flapping primary was down for a minute under a call every"
    yield f"{EVERY_S:g} s:"
    yield ""
    flaps = [
        [
            mode,
            f"{sum(bool(ride.served_by) for ride in flap.rides)} of {len(flap.rides)}",
            flap.asked_while_down,
            f"{max(flap.back_at_s - DOWN_S, 0):.0f} s",
        ]
        for mode, flap in played.flaps.items()
    ]
    yield from _table(flaps, ["mode", "calls served", "requests at the primary while down", "back after"])


def _waits(scenario: Scenario) -> str:
    """What the rules grant; `test_nothing_hangs` holds calls to it."""
    unary, streamed = scenario.rescued[Mode.UNARY].waits_s, scenario.rescued[Mode.RESTART].waits_s
    return f"{unary:g} s / {streamed:g} s"


def _flapped(flap: Flap) -> str:
    served = all(ride.served_by for ride in flap.rides)
    return "rescued, and back" if served and flap.back_at_s < DOWN_S + 30 else "**lost calls**"


def _every(played: Played, *, fallback: bool) -> list[list[str]]:
    shown = [scenario for scenario in SCENARIOS if fallback or scenario.alone]
    return [[scenario.name, *_cells(played, scenario, fallback=fallback)] for scenario in shown]


def _cells(played: Played, scenario: Scenario, *, fallback: bool) -> list[str]:
    of = {(each.case.mode, each.case.fallback): each for each in played.seen.values() if each.case.scenario is scenario}
    cells = [of[mode, fallback] for mode in Mode]
    return [verdict(each) + ("" if as_specified(each) else " **(not as the rules say)**") for each in cells]


def _table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(str, row))} |"


def main() -> int:
    played = asyncio.run(play())
    PAGE.write_text(page(played), encoding="utf-8")
    wrong = [each.case.name for each in played.seen.values() if not as_specified(each)]
    print("\n".join([*_figures(played), *_sixteen(played), *wrong]))
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())

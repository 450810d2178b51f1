"""Plays every scenario in every mode before a real sidecar with its bookkeeper, and keeps all that came of it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from taximeter.errors import TaximeterError
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import metering_pb2, usage_pb2
from tests.failover.flapping import Flap, flaps
from tests.failover.scenarios import SCENARIOS
from tests.failover.table import SCALE, Cell, Mode, Scenario
from tests.failover.waits import timeouts
from tests.support.fares import Fares, Told, account, chain, fares
from tests.support.hostile import Hostile, House, dead_url, deaf_url, house, status
from tests.support.otlp import GrpcReceiver, Received

AT_ONCE = 24
"""Calls under way: enough that the waits overlap, few enough that two cores serve them in time."""
PROMPT = "Say sixty words."


@dataclass(frozen=True)
class Case:
    """One call to be made."""

    number: int
    scenario: Scenario
    mode: Mode
    fallback: bool

    @property
    def name(self) -> str:
        return f"{self.scenario.name}/{self.mode}/{'one fallback' if self.fallback else 'none'}"

    @property
    def alias(self) -> str:
        return f"c{self.number}"

    @property
    def cell(self) -> Cell:
        return (self.scenario.rescued if self.fallback else self.scenario.alone)[self.mode]

    @property
    def accounts(self) -> tuple[str, ...]:
        return (f"{self.alias}a", f"{self.alias}b") if self.fallback else (f"{self.alias}a",)

    @property
    def longest_first(self) -> float:
        return -self.cell.waits_s


CASES = [
    Case(number, scenario, mode, fallback)
    for number, (scenario, mode, fallback) in enumerate(
        (scenario, mode, fallback)
        for scenario in SCENARIOS
        for mode in Mode
        for fallback in ((True, False) if scenario.alone else (True,))
    )
]


@dataclass
class Seen:
    """What came of a case."""

    case: Case
    text: str = ""
    """As the caller has it in the end: what a Restarted event voids is gone."""
    voided: str = ""
    restarts: list[pb.Restarted] = field(default_factory=list)
    finished: bool = False
    metering: metering_pb2.Metering = field(default_factory=metering_pb2.Metering)
    error: TaximeterError | None = None
    wall_s: float = 0.0
    providers: Sequence[Hostile] = ()
    row: Mapping[str, Any] = field(default_factory=dict)
    attempts: Sequence[Mapping[str, Any]] = ()
    spans: Sequence[Span] = ()
    got: usage_pb2.GetCallResponse | None = None
    """GetCall's answer; it is asked of every second call with a fallback."""

    @property
    def tried(self) -> str:
        return "".join(attempt.provider[-1] for attempt in self.metering.attempts)

    @property
    def asked(self) -> str:
        """Which providers got requests, in their order."""
        hits = sorted((at, "ab"[place]) for place, stage in enumerate(self.providers) for at in stage.hits)
        return "".join(name for _, name in hits)

    def kind(self, name: str) -> list[Span]:
        """ "SERVER", "INTERNAL" or "CLIENT", in the order of their starts."""
        number = Span.SpanKind.Value(f"SPAN_KIND_{name}")
        return sorted((span for span in self.spans if span.kind == number), key=lambda span: span.start_time_unix_nano)


@dataclass(frozen=True)
class Played:
    seen: Mapping[str, Seen]
    """By the case's name."""
    flaps: Mapping[Mode, Flap]
    log: str
    """All that the sidecar has said, a JSON object a line."""

    def explained(self, seen: Seen) -> list[dict[str, Any]]:
        """The lines about this call."""
        call_id = seen.row["call_id"]
        return [json.loads(line) for line in self.log.splitlines() if call_id in line]

    def of(self, scenario: Scenario) -> list[Seen]:
        return [self.seen[case.name] for case in CASES if case.scenario is scenario]


@asynccontextmanager
async def stage(cases: Sequence[Case], flapping: Sequence[Flap]) -> AsyncIterator[tuple[House, Fares]]:
    """Providers for all cases, and a stack that knows them."""
    async with AsyncExitStack() as open_:
        made = await open_.enter_async_context(house())
        elsewhere = {"dead": dead_url(), "deaf": open_.enter_context(deaf_url())}
        receiver = open_.enter_context(GrpcReceiver(Received()))

        def configured(_url: str) -> Iterable[str]:
            for case in cases:
                yield from _configured(case, made, elsewhere)
            for flap in flapping:
                yield from flap.configured(made)

        accounts: Sequence[Case | Flap] = (*cases, *flapping)
        names = [name for each in accounts for name in each.accounts]
        asked = await open_.enter_async_context(
            fares(
                configured,
                receiver.received,
                OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
                TAXIMETER_TIME_SCALE=str(SCALE),
                LOG_LEVEL="debug",
                **{f"KEY_OF_{name.upper()}": f"sk-{name}-0123456789" for name in names},
            )
        )
        yield made, asked


def _configured(case: Case, made: House, elsewhere: Mapping[str, str]) -> Iterable[str]:
    """The case's part of taximeter.toml."""
    scenario = case.scenario
    a, b = case.accounts[0], case.accounts[-1]
    primary = made.stage(a, *scenario.a)
    primary.probed = status(503)
    url = elsewhere[scenario.at] if scenario.at else f"{made.origin}/{a}{scenario.account.path}"
    yield _account(a, scenario.account.type, url, scenario.own_waits, scenario.account.setting)
    if case.fallback:
        yield _account(
            b, "openai", made.stage(b, *scenario.b).base_url, scenario.own_waits if scenario.b_waits_too else ()
        )
    yield chain(case.alias, *zip(case.accounts, scenario.models, strict=False))


def _account(name: str, type_: str, url: str, own_waits: Collection[str], setting: str = "") -> str:
    return account(name, type_, url, timeouts=timeouts(own_waits)) + setting


async def play(cases: Sequence[Case] = CASES) -> Played:
    """Makes every call, and reads what was written about it."""
    flapping = flaps()
    async with stage(cases, flapping) as (made, asked):
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> Seen:
            async with gate:
                seen = await call(asked, case)
            seen.providers = [made.stages[name] for name in case.accounts]
            return seen

        played = await asyncio.gather(*(one(case) for case in sorted(cases, key=lambda case: case.longest_first)))
        await asyncio.gather(*(flap.ride(asked) for flap in flapping))
        await _read_books(asked, played)
        return Played(
            {seen.case.name: seen for seen in played},
            {flap.mode: flap for flap in flapping},
            asked.sidecar.log.read_text(),
        )


async def call(asked: Fares, case: Case) -> Seen:
    """Makes the case's call."""
    spec = pb.CallSpec(alias=case.alias, request_id=str(uuid.uuid4()))
    spec.chat.prompt = PROMPT
    seen, before = Seen(case), time.monotonic()
    try:
        if case.mode.streamed:
            spec.stream_recovery = pb.StreamRecovery.Value(case.mode.recovery)
            await _listen(asked, spec, seen)
        else:
            reply = await asked.client.invoke(spec, timeout=30)
            seen.text, seen.metering, seen.finished = reply.chat.choices[0].message.text, reply.metering, True
    except TaximeterError as error:
        seen.error, seen.metering = error, error.metering or seen.metering
    seen.wall_s = time.monotonic() - before
    asked.told[case.name] = Told(spec.request_id, seen.text, seen.metering, seen.error)
    return seen


async def _listen(asked: Fares, spec: pb.CallSpec, seen: Seen) -> None:
    words: list[str] = []
    async with asked.client.invoke_stream(spec, timeout=30) as stream:
        async for event in stream:
            match event:
                case pb.Delta():
                    words.append(event.text)
                case pb.Restarted():
                    seen.restarts.append(event)
                    seen.voided, words = " ".join(words), []
                case pb.Finished():
                    seen.finished, seen.metering = True, event.metering
            seen.text = " ".join(words)


async def _read_books(asked: Fares, played: Sequence[Seen]) -> None:
    found = await asked.written()
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(seen: Seen) -> None:
        written = found[seen.case.name]
        seen.row, seen.attempts, seen.spans = written.row, written.attempts, written.spans
        if seen.case.fallback and seen.case.mode in (Mode.UNARY, Mode.RESTART):
            async with gate:
                seen.got = await asked.client.get_call(seen.row["call_id"])

    await asyncio.gather(*map(read, played))

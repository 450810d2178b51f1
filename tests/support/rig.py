"""An invoker with everything real but journal and prices, in front of hostile providers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar.budget import Budgets
from sidecar.core.call import Call, CallRecord, Cost, Target, Timeouts, Usage
from sidecar.core.catalog import Account, Alias, Catalog, ModelFacts, Route
from sidecar.core.clock import Clock
from sidecar.health import Health
from sidecar.invoker import CallFailed, Invoker, Outcome, StreamEvent
from sidecar.journal import JournalFull
from sidecar.limits import Limits
from sidecar.pricing.ceiling import Ceiling
from sidecar.pricing.estimate import estimate
from sidecar.providers.registry import wire
from sidecar.providers.transport import HttpxTransport
from taximeter.v1 import invocation_pb2, payload_pb2
from tests.support.routes import account, call

SCALE = 0.04
"""Of all waits: a time-out of 10 s is one of 0.4 s."""


@dataclass
class Book:
    """A journal in memory."""

    sidecar_id: str = "01SIDECAR"
    begun: int = 0
    starts: list[CallRecord] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)
    full: bool = False
    full_at_start: bool = False
    failing: Exception | None = None
    """What each finish's future fails with."""

    def begin(self) -> int:
        if self.full:
            raise JournalFull("no room")
        self.begun += 1
        return self.begun

    def started(self, record: CallRecord) -> None:
        if self.full_at_start:
            raise JournalFull("no room")
        self.starts.append(record)

    def finished(self, record: CallRecord) -> asyncio.Future[None]:
        assert record.seq not in [known.seq for known in self.records], "one record a call"
        self.records.append(record)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.failing is not None:
            future.set_exception(self.failing)
        else:
            asyncio.get_running_loop().call_soon(_resolve, future)
        return future


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Tariff:
    """1 picodollar a token in, 2 a token out; a bound of 1000; contexts by model; "unpriced" has no price."""

    def __init__(self) -> None:
        self.facts_of: dict[str, ModelFacts] = {}

    def cost(
        self, account: Account, model: str, reported: str, usage: Usage, at_ns: int, *,
        provider_cost_picodollars: int | None = None,
    ) -> Cost:  # fmt: skip
        if model == "unpriced":
            return Cost(False, None)
        return Cost(True, (usage.input or 0) + 2 * (usage.output or 0), "test", "1")

    def bound(self, account: Account, model: str, input_bytes: int, max_tokens: int | None) -> int | None:
        return None if model == "unpriced" else 1000

    def ceiling(self, account: Account, model: str) -> Ceiling | None:
        return None if model == "unpriced" else Ceiling(0, ((0, 1_000_000, 2_000_000),))

    def facts(self, account: Account, model: str) -> ModelFacts:
        return self.facts_of.get(model, ModelFacts())

    def comparable(self, account: Account, model: str, input_tokens: int, output_tokens: int) -> int | None:
        return None


@dataclass
class Notes:
    """A log that keeps what it is told."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def _note(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    debug = info = warning = error = _note


@dataclass
class Rig:
    catalog: Catalog
    book: Book = field(default_factory=Book)
    tariff: Tariff = field(default_factory=Tariff)
    notes: Notes = field(default_factory=Notes)
    transport: HttpxTransport = field(default_factory=HttpxTransport)
    explaining: bool = True
    budgets: Budgets = field(default_factory=lambda: Budgets(Clock()))

    def __post_init__(self) -> None:
        self.health = Health(self.catalog.breaker, Clock(), self.catalog.time_scale)
        self.limits = Limits(Clock(), self.catalog.time_scale)
        self.invoker = Invoker(
            catalog=lambda _workspace: self.catalog, wires=wire, transport=self.transport, pricing=self.tariff,
            estimate=estimate, journal=self.book, health=self.health, limits=self.limits, budgets=self.budgets,
            clock=Clock(), random=lambda: 0.5, log=self.notes, explains=lambda: self.explaining,
        )  # fmt: skip

    @property
    def record(self) -> CallRecord:
        """Of the only call made."""
        (record,) = self.book.records
        return record

    async def ask(self, **asked: Any) -> Outcome | CallFailed:
        """A unary call's ending."""
        try:
            return await self.invoker.invoke(chat(**asked))
        except CallFailed as error:
            return error

    async def listen(self, **asked: Any) -> tuple[list[StreamEvent], CallFailed | None]:
        """A streamed call's events, and how it failed, if so."""
        events: list[StreamEvent] = []
        try:
            async for event in self.invoker.invoke_stream(chat(**({"streamed": True} | asked))):
                events.append(event)  # noqa: PERF401  # kept when it fails
        except CallFailed as error:
            return events, error
        return events, None


def chat(deadline_in_s: float = 20.0, **asked: Any) -> Call:
    now_ns = time.monotonic_ns()
    values: dict[str, Any] = {
        "payload": payload_pb2.ChatRequest(prompt="hello"),
        "started_ns": time.time_ns(),
        "started_monotonic_ns": now_ns,
        "deadline_s": now_ns / 1e9 + deadline_in_s,
    }
    return call(**(values | asked))


def catalog_of(urls: Sequence[str], *, alias: dict[str, Any] | None = None, **values: Any) -> Catalog:
    """Accounts a, b, c ... at these addresses, and `smart` over their models ma, mb, mc ..."""
    names = "abcdef"[: len(urls)]
    scale = values.setdefault("time_scale", SCALE)
    unhurried = Timeouts(connect_s=5.0 / scale, ttft_s=1.0 / scale)  # a busy machine is no dead provider
    accounts = {name: account(name, base_url=url, timeouts=unhurried) for name, url in zip(names, urls, strict=True)}
    routes = tuple(Route(Target(name, f"m{name}")) for name in names)
    smart = replace(Alias("smart", routes), **(alias or {}))
    return Catalog(accounts=accounts, aliases={"smart": smart}, **values)


def text_of(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, invocation_pb2.Delta))


def kinds(events: Sequence[StreamEvent]) -> list[str]:
    return [type(event).__name__ for event in events]

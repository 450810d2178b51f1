"""A real sidecar and bookkeeper around one test: calls made, and everything that was written about them."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analytics.source import open_source
from taximeter.aio import AsyncClient
from taximeter.errors import TaximeterError
from taximeter.v1 import invocation_pb2, metering_pb2
from tests.support.otlp import Received
from tests.support.stack import Process, Stack, stack, until

WITHIN_S = 60.0


@dataclass(frozen=True)
class Told:
    """What one caller got."""

    request_id: str
    text: str = ""
    metering: metering_pb2.Metering | None = None
    error: TaximeterError | None = None


@dataclass(frozen=True)
class Written:
    """What was written about one call."""

    row: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]]
    costs: Sequence[Mapping[str, Any]]
    spans: Sequence[Span] = ()

    def kind(self, name: str) -> list[Span]:
        """ "SERVER", "INTERNAL" or "CLIENT", in the order of their starts."""
        number = Span.SpanKind.Value(f"SPAN_KIND_{name}")
        return sorted((span for span in self.spans if span.kind == number), key=lambda span: span.start_time_unix_nano)


@dataclass
class Fares:
    """A running stack, asked by its own client."""

    stack: Stack
    sidecar: Process
    bookkeeper: Process
    client: AsyncClient
    received: Received | None = None
    told: dict[str, Told] = field(default_factory=dict)
    """By the name that the test gave the call."""

    async def call(
        self,
        name: str,
        *,
        prompt: str = "hello",
        streamed: bool = False,
        within_s: float = 20.0,
        traceparent: str = "",
        hang_up_after: int | None = None,
        **spec: Any,
    ) -> Told:
        """`prompt` is asked by chat unless `spec` has a payload. `hang_up_after`: so many parts of the stream."""
        request_id = str(uuid.uuid4())
        asked = invocation_pb2.CallSpec(request_id=request_id, **spec)
        if not asked.WhichOneof("payload"):
            asked.chat.prompt = prompt
        around: dict[str, Any] = {"timeout": within_s, "traceparent": traceparent}
        try:
            if streamed:
                told = await self._stream(asked, hang_up_after, around)
            else:
                reply = await self.client.invoke(asked, **around)
                told = Told(request_id, "".join(each.message.text for each in reply.chat.choices), reply.metering)
        except TaximeterError as error:
            told = Told(request_id, metering=error.metering, error=error)
        self.told[name] = told
        return told

    async def _stream(self, asked: invocation_pb2.CallSpec, hang_up_after: int | None, around: dict[str, Any]) -> Told:
        text, parts, metering = "", 0, None
        async with self.client.invoke_stream(asked, **around) as stream:
            async for event in stream:
                if isinstance(event, invocation_pb2.Delta):
                    text, parts = text + event.text, parts + 1
                if parts == hang_up_after:
                    break
            metering = stream.metering
        return Told(asked.request_id, text, metering)

    async def written(self, *, spans: bool = True) -> dict[str, Written]:
        """By name, once every call is in the ledger, and (of those that were sampled) at the receiver."""
        ids = {told.request_id: name for name, told in self.told.items()}
        await self.until(lambda: self._count() >= len(ids), "every call is booked")
        rows = {row["request_id"]: row for row in self.rows()}
        if spans:
            wanted = {row["trace_id"] for row in rows.values() if row["sampled"]}
            await self.until(lambda: wanted <= {span.trace_id.hex() for span in self.spans()}, "every span is there")
        attempts = _grouped(self.ask("ai_call_attempts ORDER BY seq, number"))
        costs = _grouped(self.ask("ai_call_costs ORDER BY ALL"))
        by_trace: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans():
            by_trace[span.trace_id.hex()].append(span)
        return {
            ids[request_id]: Written(row, attempts[row["seq"]], costs[row["seq"]], by_trace[row["trace_id"]])
            for request_id, row in rows.items()
        }

    def rows(self) -> list[dict[str, Any]]:
        return self.ask("ai_call_logs ORDER BY sidecar_id, seq")

    def _count(self) -> int:
        found: int = (
            open_source(self.stack.home).table("SELECT count(*) AS n FROM ai_call_logs", ()).to_pylist()[0]["n"]
        )
        return found

    def ask(self, source: str) -> list[dict[str, Any]]:
        """All columns of a view."""
        return open_source(self.stack.home).table(f"SELECT * FROM {source}", ()).to_pylist()

    def spans(self) -> list[Span]:
        return self.received.spans() if self.received else []

    async def until(self, true: Callable[[], object], what: str) -> None:
        await asyncio.to_thread(until, true, what, WITHIN_S)


def _grouped(rows: Iterable[dict[str, Any]]) -> Mapping[int, list[dict[str, Any]]]:
    """By the call's seq."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["seq"]].append(row)
    return found


def account(name: str, type_: str, url: str, **more: str) -> str:
    """An account of taximeter.toml; its key stands in KEY_OF_<NAME>. `more`: TOML values as written."""
    lines = [f'type = "{type_}"', f'base_url = "{url}"', f'api_key_env = "KEY_OF_{name.upper()}"', 'smart = "plain"']
    return "\n".join([f"[providers.{name}]", *lines, *(f"{key} = {value}" for key, value in more.items()), ""])


def chain(alias: str, *targets: tuple[str, str]) -> str:
    """An alias of taximeter.toml over (account, model) in this order."""
    tables = ", ".join(f'{{ provider = "{provider}", model = "{model}" }}' for provider, model in targets)
    return f"[aliases.{alias}]\nchain = [{tables}]\n"


def target(provider: str, model: str) -> invocation_pb2.ModelRef:
    """Exactly this one."""
    return invocation_pb2.ModelRef(provider=provider, model=model)


@asynccontextmanager
async def fares(
    configured: Callable[[str], Iterable[str]], received: Received | None = None, **env: str
) -> AsyncIterator[Fares]:
    """`configured`: the loopback provider's URL -> parts of taximeter.toml. Its account `loop` is there too."""
    with stack(**env) as built:
        url = await asyncio.to_thread(built.provider)
        (built.cwd / "taximeter.toml").write_text("\n".join(configured(url)))
        starting = asyncio.to_thread(built.sidecar), asyncio.to_thread(built.bookkeeper)
        sidecar, bookkeeper = await asyncio.gather(*starting)
        async with AsyncClient(built.address) as client:
            yield Fares(built, sidecar, bookkeeper, client, received)

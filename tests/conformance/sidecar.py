"""The recordings through a running sidecar: asked by gRPC, answered, and booked by a bookkeeper."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from analytics.source import open_source
from sidecar.core import faults
from taximeter.aio import AsyncClient
from taximeter.errors import TaximeterError
from taximeter.v1 import invocation_pb2, metering_pb2
from tests.conformance.check import Verdict, check
from tests.conformance.families import family_of
from tests.conformance.family import Family
from tests.conformance.outcome import Outcome, of_parts, of_payload
from tests.support.providers_replay import Exchange, Replay, replaying
from tests.support.stack import Stack, stack, until

TOKENS = {
    "input_tokens": "input",
    "cache_read_tokens": "cached",
    "cache_write_tokens": "cache_write",
    "output_tokens": "output",
    "reasoning_tokens": "reasoning",
    "audio_input_tokens": "audio_in",
    "audio_output_tokens": "audio_out",
    "seconds": "seconds",
}
"""Field of the reply's usage, column of the ledger -> as the recordings name it."""

ACCOUNTS = 500
"""Of one sidecar."""
ENDINGS = {
    "BadRequest": ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    "ContextTooLong": ("INVALID_ARGUMENT", "CONTEXT_LENGTH_EXCEEDED"),
    "ModelNotFound": ("NOT_FOUND", "MODEL_NOT_FOUND"),
    "KeyRejected": ("UNAVAILABLE", "ALL_ATTEMPTS_FAILED"),
    "ServerError": ("UNAVAILABLE", "ALL_ATTEMPTS_FAILED"),
    "RateLimited": ("UNAVAILABLE", "ALL_ATTEMPTS_FAILED"),
    "StreamCut": ("UNAVAILABLE", "STREAM_BROKEN"),
}
"""Kind of fault -> gRPC status and reason of a call that has nobody else to ask."""
KINDS = {getattr(faults, name).error_type: name for name in ENDINGS}


@dataclass
class Sidecar:
    """One real sidecar with a bookkeeper behind it, and what it told of each exchange."""

    stack: Stack
    client: AsyncClient
    told: dict[str, metering_pb2.Metering] = field(default_factory=dict)
    """Exchange id -> what the caller was told."""

    async def drive(self, exchange: Exchange, request: Any, _replay: Replay) -> Outcome:
        """A `Driver`: exactly this model, at the exchange's own account."""
        family = family_of(exchange)
        target = invocation_pb2.ModelRef(provider=account_name(exchange), model=family.model(exchange))
        payload: dict[str, Any] = {family.operation(exchange).value: request}
        spec = invocation_pb2.CallSpec(target=target, **payload)
        try:
            return await (self._stream if exchange.stream else self._ask)(exchange, spec)
        except TaximeterError as error:
            return self._failed(exchange, error)

    async def _ask(self, exchange: Exchange, spec: invocation_pb2.CallSpec) -> Outcome:
        reply = await self.client.invoke(spec)
        outcome = of_payload(getattr(reply, reply.WhichOneof("payload") or ""))
        outcome.usage = self._note(exchange, reply.metering)
        return outcome

    async def _stream(self, exchange: Exchange, spec: invocation_pb2.CallSpec) -> Outcome:
        parts, finished = [], invocation_pb2.Finished()
        async for event in self.client.invoke_stream(spec):
            match event:
                case invocation_pb2.Delta() | invocation_pb2.ToolCallDelta():
                    parts.append(event)
                case invocation_pb2.Finished():
                    finished = event
        assert [choice.index for choice in finished.choices] == list(range(len(finished.choices)))
        reasons = tuple(choice.finish_reason for choice in finished.choices)
        outcome = of_parts(parts, reasons, finished.model)
        outcome.usage = self._note(exchange, finished.metering)
        return outcome

    def _failed(self, exchange: Exchange, error: TaximeterError) -> Outcome:
        if error.metering is None or not error.metering.attempts:
            return Outcome(error=(0, f"{error.code} {error.reason}", error.message))
        self._note(exchange, error.metering)
        last = error.metering.attempts[-1]
        kind = KINDS.get(last.error_type, last.error_type)
        if ENDINGS.get(kind) != (error.code, error.reason):
            kind = f"{kind} as {error.code} {error.reason}"
        return Outcome(error=(last.http_status, kind, last.message))

    def _note(self, exchange: Exchange, metering: metering_pb2.Metering) -> dict[str, float]:
        """What the provider reported; estimates are not its words."""
        self.told[exchange.id] = metering
        reported = metering.usage_source == metering_pb2.USAGE_SOURCE_REPORTED
        return {TOKENS[name]: value for name, value in counts(metering.usage).items()} if reported else {}

    def misbooked(self) -> dict[str, list[str]]:
        """Exchange id -> what the ledger does not say as the caller was told; "" -> of the ledger as a whole."""
        source = open_source(self.stack.home)

        def rows() -> list[dict[str, Any]]:
            return source.table("SELECT * FROM ai_call_logs", ()).to_pylist()

        until(lambda: len(rows()) >= len(self.told), "every call is booked")
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows():
            found.setdefault(row["call_id"], []).append(row)
        wrong = {id_: _differences(metering, found.pop(metering.call_id, [])) for id_, metering in self.told.items()}
        return {id_: misses for id_, misses in {**wrong, "": sorted(found)}.items() if misses}


def counts(usage: metering_pb2.Usage) -> dict[str, float]:
    return {name: getattr(usage, name) for name in TOKENS if usage.HasField(name)}  # type: ignore[arg-type]  # its names


def _differences(metering: metering_pb2.Metering, rows: list[dict[str, Any]]) -> list[str]:
    if len(rows) != 1:
        return [f"ledger: {len(rows)} rows"]
    row = rows[0]
    amount = None if row["cost_usd"] is None else int(row["cost_usd"].scaleb(12))
    told_amount = metering.cost.amount_picodollars if metering.cost.HasField("amount_picodollars") else None
    pairs = {
        "usage": ({name: row[name] for name in TOKENS if row[name] is not None}, counts(metering.usage)),
        "usage_source": (
            f"USAGE_SOURCE_{row['usage_source'].upper()}",
            metering_pb2.UsageSource.Name(metering.usage_source),
        ),
        "cost": ((row["priced"], amount), (metering.cost.priced, told_amount)),
        "price": (row["price_source"], metering.cost.price_source),
        "model": (row["model_reported"], metering.model_reported),
        "attempts": (row["attempts"], len(metering.attempts)),
    }
    return [f"ledger {name}: {booked!r}, told {told!r}" for name, (booked, told) in pairs.items() if booked != told]


def account_name(exchange: Exchange) -> str:
    return f"rec-{exchange.id}"


def key_variable(exchange: Exchange) -> str:
    """A key of its own: a rejected key is put aside wherever it is used."""
    return f"REC_{exchange.id.upper()}_KEY"


def configuration(exchanges: Iterable[Exchange], replay: Replay) -> str:
    """taximeter.toml with an account for each exchange, of its provider's row, at its own address."""
    return "\n".join(_account(exchange, family_of(exchange), replay) for exchange in exchanges)


def _account(exchange: Exchange, family: Family, replay: Replay) -> str:
    fields = {
        "type": family.account_type(exchange),
        "base_url": replay.address(exchange.id) + family.base_path(exchange),
        "api_key_env": key_variable(exchange),
        "smart": "unused",
        **family.settings(exchange),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join([f"[providers.{account_name(exchange)}]", *lines, ""])


@dataclass
class Found:
    """What all sidecars together told."""

    verdicts: list[Verdict] = field(default_factory=list)
    misbooked: dict[str, list[str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    """Ids of the exchanges whose caller was told a metering."""


async def through_sidecars(exchanges: Mapping[str, Exchange]) -> Found:
    """Each exchange through a sidecar of its own account, many accounts to a sidecar."""
    found = Found()
    ids = list(exchanges)
    for start in range(0, len(ids), ACCOUNTS):
        batch = {id_: exchanges[id_] for id_ in ids[start : start + ACCOUNTS]}
        async with replaying(batch) as replay, running(batch, replay) as sidecar:
            found.verdicts += [await check(exchange, sidecar.drive, replay) for exchange in batch.values()]
            wrong = await asyncio.to_thread(sidecar.misbooked)
        found.told |= sidecar.told.keys()
        for id_, misses in wrong.items():
            found.misbooked.setdefault(id_, []).extend(misses)
    return found


@asynccontextmanager
async def running(exchanges: Mapping[str, Exchange], replay: Replay) -> AsyncIterator[Sidecar]:
    with stack(**{key_variable(exchange): "sk-conformance" for exchange in exchanges.values()}) as built:
        (built.cwd / "taximeter.toml").write_text(configuration(exchanges.values(), replay))
        await asyncio.to_thread(built.bookkeeper)
        await asyncio.to_thread(built.sidecar)
        async with AsyncClient(built.address) as client:
            yield Sidecar(built, client)

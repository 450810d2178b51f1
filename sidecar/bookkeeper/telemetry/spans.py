"""One call's record -> its spans, with the record's own times and ids. Pure, and free of any SDK.

SERVER taximeter.v1.InvocationService/Invoke      parent: the caller's
└ INTERNAL invoke {alias}                         what the sidecar decided
  ├ CLIENT chat {model A}                         one for each stretch of attempts at one provider and model
  └ CLIENT chat {model B}                         the only ones that carry usage, so that nothing counts twice
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sidecar.bookkeeper.telemetry import constants as otel
from sidecar.bookkeeper.telemetry.exchange import Exchange, exchanges, operation_name, provider_name
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
Kind = Literal["server", "internal", "client"]

PICODOLLARS_PER_USD = 1e12


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """Ids in hex, times in UTC ns. `parent_is_remote`: the parent is the caller's span."""

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    error: bool = False
    events: tuple[Event, ...] = ()
    parent_is_remote: bool = False


def is_server_error(record: journal_pb2.CallRecord) -> bool:
    return record.grpc_status in otel.SERVER_ERRORS or record.status == "abandoned"


def spans(record: journal_pb2.CallRecord, names: Mapping[str, str], *, unsampled: bool = False) -> tuple[Span, ...]:
    """The call's spans, outermost first; none if its parent was not sampled, unless `unsampled` asks for them.

    names: provider type -> `gen_ai.provider.name`.
    """
    if not (record.sampled or unsampled) or not record.trace_id or not record.server_span_id:
        return ()
    inner = [_client(record, exchange, names) for exchange in exchanges(record) if exchange.attempts[0].span_id]
    return (_server(record), _invoke(record, len(record.attempts)), *inner)


def _server(record: journal_pb2.CallRecord) -> Span:
    status = record.grpc_status or ("OK" if record.status == "ok" else "")
    error = is_server_error(record)
    return Span(
        name=record.rpc_method,
        kind="server",
        trace_id=record.trace_id,
        span_id=record.server_span_id,
        parent_span_id=record.parent_span_id,
        parent_is_remote=True,
        start_ns=record.started_ns,
        end_ns=max(record.ended_ns, record.started_ns),
        error=error,
        attributes=_known(
            {
                otel.RPC_SYSTEM: "grpc",
                otel.RPC_METHOD: record.rpc_method,
                otel.RPC_STATUS: status,
                otel.ERROR_TYPE: (status or record.status) if error else "",
            }
        ),
    )


def _invoke(record: journal_pb2.CallRecord, attempts: int) -> Span:
    return Span(
        name=f"invoke {record.alias}" if record.alias else "invoke",
        kind="internal",
        trace_id=record.trace_id,
        span_id=record.invoke_span_id,
        parent_span_id=record.server_span_id,
        start_ns=record.started_ns,
        end_ns=max(record.ended_ns, record.started_ns),
        error=record.status in {"error", "refused", "abandoned"},
        events=tuple(_alerts(record)),
        attributes={
            **_known(_decided(record)),
            **_cost(record.cost),
            otel.ATTEMPTS: attempts,
            "taximeter.streamed": record.streamed,
            "taximeter.fallback_used": record.fallback_used,
            "taximeter.seq": record.seq,
            "taximeter.overhead_us": record.overhead_ns // 1000,
        },
    )


def _alerts(record: journal_pb2.CallRecord) -> Iterator[Event]:
    """An event at the call's end for each alert of a budget that it gave."""
    for told in record.budget_alerts:
        budget_id, _, threshold = told.rpartition(" ")
        attributes: Attributes = {otel.BUDGET: budget_id, otel.BUDGET_THRESHOLD: threshold}
        yield Event(otel.ALERT_EVENT, max(record.ended_ns, record.started_ns), attributes)


def _decided(record: journal_pb2.CallRecord) -> dict[str, Value]:
    """What the call asked and what came of it, in our own words. Nothing that a caller wrote as content."""
    at_risk = record.cost_at_risk_picodollars / PICODOLLARS_PER_USD
    return {
        otel.WORKSPACE: record.workspace,
        otel.ALIAS: record.alias,
        otel.FALLBACK_REASON: record.fallback_reason,
        otel.ACCOUNT: record.provider_of_record,
        otel.ERROR_TYPE: record.error_type,
        otel.USAGE_SOURCE: record.usage_source,
        "taximeter.call_id": record.call_id,
        "taximeter.sidecar_id": record.sidecar_id,
        "taximeter.request_id": record.request_id,
        "taximeter.caller": record.caller,
        "taximeter.task": record.task,
        "taximeter.operation": record.operation,
        "taximeter.capability": record.capability,
        "taximeter.strategy": record.strategy,
        "taximeter.preference": record.preference,
        "taximeter.status": record.status,
        "taximeter.skips": tuple(f"{skip.provider}/{skip.model}: {skip.reason}" for skip in record.skips),
        **({"taximeter.cost_at_risk_usd": at_risk} if at_risk else {}),
    }


def _client(record: journal_pb2.CallRecord, exchange: Exchange, names: Mapping[str, str]) -> Span:
    last, first_chunk_s = exchange.last, exchange.first_chunk_s
    optional: dict[str, Value] = {
        otel.REQUEST_MODEL: last.model_requested,
        otel.RESPONSE_MODEL: last.model_reported,
        otel.RESPONSE_ID: last.response_id,
        otel.FINISH_REASONS: tuple(last.finish_reasons),
        otel.CONVERSATION: record.conversation_id,
        otel.SERVER_ADDRESS: last.server_address,
        otel.SERVER_PORT: last.server_port,
        otel.HTTP_STATUS: last.http_status,
        otel.HTTP_RESENDS: len(exchange.attempts) - 1,
        otel.ERROR_TYPE: exchange.error_type,
        otel.ACCOUNT: last.provider,
        otel.USAGE_SOURCE: last.usage_source,
    }
    return Span(
        name=f"{operation_name(record)} {last.model_requested}".rstrip(),
        kind="client",
        trace_id=record.trace_id,
        span_id=exchange.attempts[0].span_id,
        parent_span_id=record.invoke_span_id,
        start_ns=exchange.start_ns,
        end_ns=exchange.end_ns,
        error=exchange.failed,
        events=tuple(_retries(exchange)),
        attributes={
            otel.OPERATION: operation_name(record),
            otel.PROVIDER: provider_name(last, names),
            **_known(optional),
            **_parameters(record.parameters),
            **{otel.USAGE[name]: count for name, count in exchange.usage.items()},
            **({otel.REQUEST_STREAM: True} if record.streamed else {}),
            **({otel.TIME_TO_FIRST_CHUNK: first_chunk_s} if record.streamed and first_chunk_s is not None else {}),
        },
    )


def _retries(exchange: Exchange) -> Iterator[Event]:
    """An event at the start of each attempt but the first: which it is, and what went wrong before it."""
    for before, attempt in zip(exchange.attempts, exchange.attempts[1:], strict=False):
        attributes: Attributes = {
            otel.ATTEMPT: attempt.number,
            otel.ERROR_TYPE: before.error_type,
            otel.HTTP_STATUS: before.http_status,
        }
        yield Event(otel.RETRY_EVENT, attempt.started_ns, _known(attributes))


def _parameters(parameters: journal_pb2.RequestParameters) -> dict[str, Value]:
    """Those that the caller set. A choice count of 1 is no news (convention: "and != 1")."""
    found: dict[str, Value] = {
        attribute: getattr(parameters, name)
        for name, attribute in otel.PARAMETERS.items()
        if parameters.HasField(name)  # type: ignore[arg-type]  # the names are the message's own
    }
    if found.get(otel.PARAMETERS["choice_count"]) == 1:
        del found[otel.PARAMETERS["choice_count"]]
    return found | _known({otel.STOP_SEQUENCES: tuple(parameters.stop), otel.OUTPUT_TYPE: parameters.output_type})


def _cost(cost: metering_pb2.Cost) -> dict[str, Value]:
    """An unknown cost is absent, never 0."""
    known: dict[str, Value] = {"taximeter.priced": cost.priced}
    if cost.HasField("amount_picodollars"):
        known[otel.COST_USD] = cost.amount_picodollars / PICODOLLARS_PER_USD
    return known | _known({otel.PRICE_SOURCE: cost.price_source})


def _known(attributes: Attributes) -> dict[str, Value]:
    """Without what is empty: unknown strings, lists and numbers are '' , () and 0 in a record."""
    return {key: value for key, value in attributes.items() if value not in ("", (), 0)}

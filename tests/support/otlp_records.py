"""Records to draw from: one of each kind of call."""

from __future__ import annotations

from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

SECOND = 1_000_000_000
START_NS = 1_795_000_000 * SECOND
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
METHOD = "taximeter.v1.InvocationService/Invoke"
CANARY = "canary-do-not-record-me"


def attempt(number: int, provider: str = "openai", model: str = "gpt-4o-mini", **more: object) -> journal_pb2.Attempt:
    """The n-th: begins n-1 seconds into the call and takes half of one."""
    started = START_NS + (number - 1) * SECOND
    fields = {
        "status": "ok",
        "provider_type": provider,
        "span_id": f"{number + 16:016x}",
        "started_ns": started,
        "ended_ns": started + SECOND // 2,
        "server_address": f"api.{provider}.test",
        "server_port": 443,
        **more,
    }
    return journal_pb2.Attempt(number=number, provider=provider, model_requested=model, **fields)  # type: ignore[arg-type]  # test shorthand


def answered(number: int, provider: str = "openai", model: str = "gpt-4o-mini", **more: object) -> journal_pb2.Attempt:
    fields = {
        "model_reported": "gpt-4o-mini-2024-07-18",
        "response_id": "chatcmpl-1",
        "finish_reasons": ["stop"],
        "http_status": 200,
        "usage": metering_pb2.Usage(
            input_tokens=100, cache_read_tokens=64, cache_write_tokens=0, output_tokens=20, reasoning_tokens=8
        ),
        "usage_source": "reported",
        "cost": metering_pb2.Cost(priced=True, amount_picodollars=22_200_000, price_source="genai-prices"),
        **more,
    }
    return attempt(number, provider, model, **fields)


def failed(number: int, provider: str = "openai", model: str = "gpt-4o-mini", **more: object) -> journal_pb2.Attempt:
    fields = {"status": "failed", "error_type": "rate_limited", "http_status": 429, **more}
    return attempt(number, provider, model, **fields)


def record(*attempts: journal_pb2.Attempt, **more: object) -> journal_pb2.CallRecord:
    """A call that lasted as long as its attempts and 10 ms more."""
    duration_ns = max(len(attempts), 1) * SECOND - SECOND // 2 + SECOND // 100
    last = attempts[-1] if attempts else journal_pb2.Attempt()
    usage_of = next((each.usage for each in reversed(attempts) if each.HasField("usage")), metering_pb2.Usage())
    fields = {
        "sidecar_id": "01SIDECAR",
        "seq": 7,
        "version": 1,
        "call_id": "01CALL",
        "workspace": "acme",
        "caller": "token-1",
        "alias": "smart",
        "operation": "chat",
        "strategy": "failover",
        "status": "ok",
        "grpc_status": "OK",
        "provider_of_record": last.provider,
        "provider_type": last.provider_type,
        "attempts": attempts,
        "usage": usage_of,
        "usage_source": "reported",
        "cost": metering_pb2.Cost(priced=True, amount_picodollars=22_200_000, price_source="genai-prices"),
        "started_ns": START_NS,
        "ended_ns": START_NS + duration_ns,
        "duration_ns": duration_ns,
        "overhead_ns": 250_000,
        "trace_id": TRACE,
        "parent_span_id": PARENT,
        "server_span_id": "00000000000000a1",
        "invoke_span_id": "00000000000000a2",
        "sampled": True,
        "rpc_method": METHOD,
        "tags": {"team": CANARY},
        **more,
    }
    return journal_pb2.CallRecord(**fields)  # type: ignore[arg-type]  # test shorthand


def frame(call: journal_pb2.CallRecord) -> journal_pb2.Frame:
    return journal_pb2.Frame(finished=call)


def failover() -> journal_pb2.CallRecord:
    """Rate limited twice at one model, then answered by another."""
    return record(
        failed(1),
        failed(2),
        answered(3, "anthropic", "claude-haiku-4-5", model_reported="claude-haiku-4-5"),
        fallback_used=True,
        fallback_reason="RATE_LIMITED",
    )

"""What edge tests build calls and records from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidecar.core.call import (
    Attempt,
    AttemptStatus,
    Call,
    CallRecord,
    CallStatus,
    Capability,
    Cost,
    CostLine,
    Operation,
    Target,
    Trace,
    Usage,
    UsageSource,
)
from sidecar.core.catalog import Account, Alias, Catalog, Key, Route
from sidecar.edge.auth import Identity
from sidecar.edge.decode import Arrival, Decoded, decode
from taximeter.v1 import invocation_pb2 as pb

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
STARTED_NS = 1_760_000_000_000_000_000


def catalog(**changes: Any) -> Catalog:
    """Two accounts, one without its key, behind the aliases `text`, `smart` and `fast`."""
    openai = Account(
        "openai",
        "openai",
        "openai",
        "https://api.openai.com/v1",
        keys=(Key("key1", "sk-proj-0123456789abcd"),),
        default_models={"smart": "gpt-big", "fast": "gpt-small"},
        operations=frozenset({Operation.CHAT, Operation.EMBEDDING}),
        capabilities=frozenset({Capability.CHAT, Capability.EMBEDDING}),
    )
    groq = Account("groq", "groq", "openai", "https://api.groq.com/openai/v1", unusable="GROQ_API_KEY is not set")
    routes = (Route(Target("openai", "gpt-big")), Route(Target("groq", "llama")))
    found = Catalog(
        accounts={"openai": openai, "groq": groq},
        aliases={name: Alias(name, routes) for name in ("text", "smart", "fast")},
        tag_keys=frozenset({"team", "feature"}),
    )
    return replace(found, **changes)


def arrival(**changes: Any) -> Arrival:
    found = Arrival(
        identity=Identity("default"),
        trace=TRACE,
        rpc_method="taximeter.v1.InvocationService/Invoke",
        streamed=False,
        started_ns=STARTED_NS,
        started_monotonic_ns=5_000_000_000,
        deadline_s=185.0,
    )
    return replace(found, **changes)


def chat_spec(**fields: Any) -> pb.CallSpec:
    """A good call, changed by `fields`."""
    spec = pb.CallSpec(**fields)
    if spec.WhichOneof("payload") is None:
        spec.chat.prompt = "hello"
    return spec


def decoded(spec: pb.CallSpec, **changes: Any) -> Decoded:
    return decode(spec, arrival(**changes), catalog(), max_tags=4)


def attempt(number: int = 1, provider: str = "openai", **changes: Any) -> Attempt:
    found = Attempt(
        number=number,
        target=Target(provider, "gpt-big"),
        provider_type=provider,
        status=AttemptStatus.OK,
        started_ns=STARTED_NS,
        ended_ns=STARTED_NS + 250_000_000,
        http_status=200,
        usage=Usage(input=10, output=5),
        usage_source=UsageSource.REPORTED,
        cost=Cost(True, 1_500_000, "genai-prices", "2026-01-01", (CostLine("input", 10, 150_000_000_000, 1_500_000),)),
    )
    return replace(found, **changes)


def record(call: Call | None = None, **changes: Any) -> CallRecord:
    """A call that went well, changed by `changes`."""
    found = CallRecord(
        sidecar_id="01SIDECAR",
        seq=7,
        call_id=call.call_id if call else "01CALL",
        workspace="default",
        caller="",
        operation="chat",
        streamed=False,
        status=CallStatus.OK,
        started_ns=STARTED_NS,
        ended_ns=STARTED_NS + 300_000_000,
        duration_ns=300_000_000,
        trace_id=TRACE.trace_id,
        server_span_id="1" * 16,
        invoke_span_id="2" * 16,
        alias="smart",
        provider_of_record="openai",
        model_requested="gpt-big",
        model_reported="gpt-big-2026",
        attempts=(attempt(),),
        usage=Usage(input=10, output=5),
        usage_source=UsageSource.REPORTED,
        cost=attempt().cost,
        overhead_ns=1_000_000,
    )
    return replace(found, **changes)

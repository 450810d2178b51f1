"""What both clients ask with: options -> CallSpec, metadata, questions about usage. Pure, but for the address."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from taximeter.messages import ChatMessages, chat_fields, struct
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from taximeter.v1 import usage_pb2 as usage

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT_S = 180.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A sidecar that comes back is found within a second; calls themselves are never repeated unseen.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take, not a pause
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
)

GROUPS: Mapping[str, usage.UsageDimension.ValueType] = {
    name.removeprefix("USAGE_DIMENSION_").lower(): number for name, number in usage.UsageDimension.items() if number
}

_DESTINATION = ("alias", "task", "provider", "model")
_TIMEOUTS = ("connect_s", "ttft_s", "response_s", "stall_s")
_PLAIN = ("preferred_provider", "tags", "request_id", "conversation_id", "workspace_id")
_ENUMS: Mapping[str, Any] = {
    "capability": pb.Capability,
    "routing_preference": pb.RoutingPreference,
    "stream_recovery": pb.StreamRecovery,
}
_AROUND = ("timeout", "traceparent")
_OF_THE_CALL = frozenset((*_DESTINATION, *_TIMEOUTS, *_PLAIN, *_ENUMS, *_AROUND))


def chat_spec(messages: ChatMessages, options: Mapping[str, Any]) -> pb.CallSpec:
    around, fields = _split(options)
    return _spec(pb.CallSpec(chat=payload.ChatRequest(**chat_fields(messages, fields))), around)


def completion_spec(prompt: str, options: Mapping[str, Any]) -> pb.CallSpec:
    around, fields = _split(options)
    return _spec(pb.CallSpec(completion=payload.CompletionRequest(prompt=prompt, **fields)), around)


def embedding_spec(inputs: str | Sequence[str], options: Mapping[str, Any]) -> pb.CallSpec:
    around, fields = _split(options)
    return _spec(pb.CallSpec(embedding=payload.EmbeddingRequest(inputs=_several(inputs), **fields)), around)


def moderation_spec(inputs: str | Sequence[str], options: Mapping[str, Any]) -> pb.CallSpec:
    around, fields = _split(options)
    return _spec(pb.CallSpec(moderation=payload.ModerationRequest(inputs=_several(inputs), **fields)), around)


def _split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is said of the call, what is said in the payload); None means not said."""
    said = {name: value for name, value in options.items() if value is not None}
    if "provider_options" in said:
        said["provider_options"] = struct(said["provider_options"])
    around = {name: said.pop(name) for name in list(said) if name in _OF_THE_CALL}
    return around, said


def _several(inputs: str | Sequence[str]) -> Sequence[str]:
    return [inputs] if isinstance(inputs, str) else inputs


def _spec(spec: pb.CallSpec, options: Mapping[str, Any]) -> pb.CallSpec:
    named = [name for name in ("alias", "task", "provider") if options.get(name)]
    if len(named) > 1 or ("model" in options and "provider" not in options):
        raise TypeError("name one destination: alias, task, or provider with model")
    if "provider" in options:
        spec.target.CopyFrom(pb.ModelRef(provider=options["provider"], model=options.get("model", "")))
    for name in ("alias", "task"):
        if name in options:
            setattr(spec, name, options[name])
    if "workspace_id" in options:  # a number is a name too
        options = {**options, "workspace_id": str(options["workspace_id"])}
    spec.MergeFrom(pb.CallSpec(**{name: options[name] for name in _PLAIN if name in options}))
    for name in _ENUMS:
        if name in options:
            setattr(spec, name, number(name, options[name]))
    for name in _TIMEOUTS:
        if name in options:
            duration: Duration = getattr(spec.timeouts, name.removesuffix("_s"))
            duration.FromNanoseconds(round(options[name] * 1e9))
    return spec


def number(name: str, value: str) -> Any:
    """The enum's number that a word stands for: number("capability", "chat"). Raises TypeError."""
    enum = _ENUMS[name]
    try:
        return enum.Value(f"{name}_{value}".upper())
    except ValueError:
        known = ", ".join(each.removeprefix(f"{name}_".upper()).lower() for each in enum.keys()[1:])
        raise TypeError(f"{name}={value!r}: must be one of {known}") from None


def default_address() -> str:
    return os.environ.get("TAXIMETER_ADDRESS") or DEFAULT_ADDRESS


def target(address: str) -> str:
    """As gRPC wants it: "unix:///run/x.sock" and "127.0.0.1:50051" stay, "http://host:1" loses its scheme."""
    if address.startswith("unix"):
        return address
    for scheme in ("http://", "https://", "grpc://"):
        address = address.removeprefix(scheme)
    return address.rstrip("/")


def bearer(token: str | None) -> str:
    """The token to show: the one given ("" = none), else TAXIMETER_TOKEN. Raises ValueError, which does not tell it."""
    found = (os.environ.get("TAXIMETER_TOKEN", "") if token is None else token).strip()
    if not (found.isascii() and found.isprintable() and " " not in found):
        raise ValueError("the token is not one word of ASCII: has something else been taken for it?")
    return found


def metadata(token: str | None, options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    entries = [("authorization", f"Bearer {token}")] if token else []
    if options.get("traceparent"):
        entries.append(("traceparent", options["traceparent"]))
    return tuple(entries)


def usage_request(
    group_by: Sequence[str], since: timedelta | datetime, until: datetime | None, filters: Mapping[str, str] | None
) -> usage.QueryUsageRequest:
    """`since`: how far back from `until` (now), or from when on; times without a zone are UTC.

    `group_by`: among GROUPS, or "tag:<key>", which come after the others."""
    end = _utc(until) if until else datetime.now(UTC)
    start = end - since if isinstance(since, timedelta) else _utc(since)
    others = [name for name in group_by if not name.startswith("tag:")]
    unknown = [name for name in others if name not in GROUPS]
    if unknown:
        raise TypeError(f"group_by={unknown[0]!r}: must be among {', '.join(GROUPS)}, tag:<key>")
    return usage.QueryUsageRequest(
        period=usage.Period(start=_timestamp(start), end=_timestamp(end)),
        group_by=[GROUPS[name] for name in others],
        group_by_tags=[name.removeprefix("tag:") for name in group_by if name not in others],
        filters=filters or {},
        page_size=1000,
    )


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def next_page(request: usage.QueryUsageRequest, answer: usage.QueryUsageResponse) -> usage.QueryUsageRequest | None:
    """The request for the page after `answer`, if there is one."""
    if not answer.next_page_token:
        return None
    following = usage.QueryUsageRequest()
    following.CopyFrom(request)
    following.page_token = answer.next_page_token
    return following

"""CallSpec -> Call. All that is wrong with a spec is told at once; a call is made even then, for its record."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.duration_pb2 import Duration

from sidecar.core import call as core
from sidecar.core import ids
from sidecar.core.catalog import Catalog
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.core.parameters import parameters_of
from sidecar.edge.auth import Identity
from sidecar.edge.payloads import Violation, violations
from taximeter.v1 import invocation_pb2 as pb

MAX_NAME = 128
MAX_TAG_VALUE = 256
MAX_TIMEOUT_S = 86_400.0
SHOWN_VIOLATIONS = 8

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TEXT = frozenset({core.Operation.CHAT, core.Operation.COMPLETION})
_SERVED_BY: dict[core.Capability, frozenset[core.Operation]] = {
    core.Capability.TEXT_GENERATION: _TEXT,
    core.Capability.CHAT: frozenset({core.Operation.CHAT}),
    core.Capability.CODE_GENERATION: _TEXT,
    core.Capability.TRANSLATION: _TEXT,
    core.Capability.SUMMARIZATION: _TEXT,
    core.Capability.EMBEDDING: frozenset({core.Operation.EMBEDDING}),
    core.Capability.MODERATION: frozenset({core.Operation.MODERATION}),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a call besides its spec. `deadline_s` in monotonic seconds."""

    identity: Identity
    trace: core.Trace
    rpc_method: str
    streamed: bool
    started_ns: int
    started_monotonic_ns: int
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Decoded:
    """`refusal` None: the call may go on."""

    call: core.Call
    refusal: Refusal | None = None
    digest: bytes = b""
    """Of the request, if it has a `request_id`. The call carries it too, unless nothing of it may be kept."""


@dataclass(slots=True)
class _Found:
    """Violations met so far, while values are read."""

    violations: list[Violation] = field(default_factory=list)

    def name(self, value: str, at: str, limit: int = MAX_NAME) -> str:
        """A short printable name; what is longer or unprintable is told and left out."""
        if len(value) > limit:
            self.violations.append((at, f"must be at most {limit} characters"))
            return ""
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            self.violations.append((at, "must not contain control characters"))
            return ""
        return value

    def seconds(self, owner: Any, name: str, at: str) -> float | None:
        if not owner.HasField(name):
            return None
        duration: Duration = getattr(owner, name)
        value = duration.seconds + duration.nanos / 1e9
        if 0 < value <= MAX_TIMEOUT_S:
            return value
        self.violations.append((f"{at}.{name}", "must be more than 0 s and at most a day"))
        return None


def decode(spec: pb.CallSpec, arrival: Arrival, catalog: Catalog, max_tags: int) -> Decoded:
    """The call that a spec asks for, and why it is refused, if it is.

    Of a call that nothing may be kept of, what the caller wrote beside the payload is checked and left out.
    """
    found = _Found()
    kind = spec.WhichOneof("payload")
    payload = getattr(spec, kind) if kind else None
    operation = core.Operation(kind or "")
    if payload is None:
        found.violations.append(("call", "set a payload: chat, completion, embedding or moderation"))
    else:
        found.violations.extend(violations(payload, f"call.{kind}"))
    capability = _capability(spec, operation, found)
    alias, task, target = _destination(spec, capability, found)
    tags = _tags(spec, catalog.tag_keys, max_tags, found)
    request_id = _request_id(spec, found)
    conversation_id = found.name(spec.conversation_id, "call.conversation_id", 256)
    digest = _digest(spec, streamed=arrival.streamed) if request_id else b""
    keep = not catalog.zero_retention
    call = core.Call(
        call_id=ids.ulid(),
        workspace=arrival.identity.workspace,
        caller=arrival.identity.caller,
        operation=operation,
        payload=payload,
        streamed=arrival.streamed,
        started_ns=arrival.started_ns,
        started_monotonic_ns=arrival.started_monotonic_ns,
        deadline_s=arrival.deadline_s,
        trace=arrival.trace,
        rpc_method=arrival.rpc_method,
        alias=alias,
        task=task,
        target=target,
        capability=capability,
        preferred_provider=found.name(spec.preferred_provider, "call.preferred_provider"),
        preference=_choice(spec, "routing_preference", pb.RoutingPreference, core.Preference, found),
        stream_recovery=_choice(spec, "stream_recovery", pb.StreamRecovery, core.StreamRecovery, found),
        timeouts=_timeouts(spec, found),
        tags=tags if keep else {},
        request_id=request_id,
        conversation_id=conversation_id if keep else "",
        bytes_in=payload.ByteSize() if payload is not None else 0,
        parameters=parameters_of(payload) if keep else replace(parameters_of(payload), stop=()),  # those are words
        request_digest=digest if keep else b"",
    )
    return Decoded(call, _refusal(spec, call, found.violations), digest)


def _refusal(spec: pb.CallSpec, call: core.Call, found: list[Violation]) -> Refusal | None:
    """Whose call it may not be comes before what is wrong with it. Where it may go is for routing to say."""
    if spec.workspace_id and spec.workspace_id != call.workspace:
        return Refusal(
            "PERMISSION_DENIED",
            RefusalReason.WORKSPACE_MISMATCH,
            "The call names another workspace than the one its caller belongs to. Leave workspace_id out.",
            {"workspace": call.workspace},
        )
    return invalid(found) if found else None


def invalid(found: list[Violation]) -> Refusal:
    """INVALID_ARGUMENT with the fields at fault, the first of them in the message."""
    shown = found[:SHOWN_VIOLATIONS]
    text = "; ".join(f"{path}: {problem}" for path, problem in shown)
    more = f"; and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    return Refusal(
        "INVALID_ARGUMENT",
        RefusalReason.INVALID_REQUEST,
        f"Invalid request: {text}{more}",
        field_violations=tuple(shown),
    )


def _destination(
    spec: pb.CallSpec, capability: core.Capability | None, found: _Found
) -> tuple[str, str, core.Target | None]:
    """(alias, task, target). Nothing at all means the task "text"; a capability alone names none of them."""
    kind = spec.WhichOneof("destination")
    match kind:
        case "alias" | "task":
            name = getattr(spec, kind)
            if not name:
                found.violations.append((f"call.{kind}", "must not be empty"))
            name = found.name(name, f"call.{kind}")
            return name, name if kind == "task" else "", None
        case "target":
            if not spec.target.provider:
                found.violations.append(("call.target.provider", "is required"))
            provider = found.name(spec.target.provider, "call.target.provider")
            return "", "", core.Target(provider, found.name(spec.target.model, "call.target.model", 256))
    return ("", "", None) if capability else ("text", "text", None)


def _capability(spec: pb.CallSpec, operation: core.Operation, found: _Found) -> core.Capability | None:
    capability: core.Capability | None = _choice(spec, "capability", pb.Capability, core.Capability, found)
    if capability and operation and operation not in _SERVED_BY.get(capability, frozenset()):
        found.violations.append(("call.capability", f"{capability} is not what a {operation} payload asks for"))
    return capability


def _choice(spec: pb.CallSpec, name: str, enum: Any, members: Any, found: _Found) -> Any:
    """A protobuf enum's value as ours: CAPABILITY_CHAT -> Capability.CHAT; unspecified -> None."""
    number = getattr(spec, name)
    if not number:
        return None
    if number not in enum.values():
        found.violations.append((f"call.{name}", f"{number} is not one of its values"))
        return None
    return members[enum.Name(number).removeprefix(f"{name.upper()}_")]


def _timeouts(spec: pb.CallSpec, found: _Found) -> core.Timeouts:
    read = [found.seconds(spec.timeouts, name, "call.timeouts") for name in ("connect", "ttft", "response", "stall")]
    return core.Timeouts(*read)


def _tags(spec: pb.CallSpec, allowed: frozenset[str], max_tags: int, found: _Found) -> dict[str, str]:
    if len(spec.tags) > max_tags:
        found.violations.append(("call.tags", f"at most {max_tags} are kept"))
        return {}
    return dict(_kept_tags(spec, allowed, found))


def _kept_tags(spec: pb.CallSpec, allowed: frozenset[str], found: _Found) -> Iterator[tuple[str, str]]:
    for key, value in sorted(spec.tags.items()):
        if key in allowed:
            yield key, found.name(value, f"call.tags[{key!r}]", MAX_TAG_VALUE)
        else:
            known = f"allowed are {', '.join(sorted(allowed))}" if allowed else "no tag keys are allowed"
            found.violations.append((f"call.tags[{key[:MAX_NAME]!r}]", f"is not an allowed key; {known}"))


def _request_id(spec: pb.CallSpec, found: _Found) -> str:
    if spec.request_id and not _UUID.fullmatch(spec.request_id):
        found.violations.append(("call.request_id", "must be a UUID"))
        return ""
    return spec.request_id.lower()


def _digest(spec: pb.CallSpec, *, streamed: bool) -> bytes:
    """SHA-256 of all that is asked, and how: two requests under one `request_id` are one only if they agree in this.

    Serialized in protobuf's deterministic way, which may change with its version: then a repeat that bridges the
    upgrade is refused for another reason, and still not made again.
    """
    request_id = spec.request_id
    spec.ClearField("request_id")
    digest = hashlib.sha256(b"stream" if streamed else b"unary")
    digest.update(spec.SerializeToString(deterministic=True))
    spec.request_id = request_id
    return digest.digest()

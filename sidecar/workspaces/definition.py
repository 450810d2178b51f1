"""A stored definition -> an alias that routing reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict

from sidecar.core.aliases import OPERATION_OF
from sidecar.core.call import Capability, Operation, Preference, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import Alias, RateLimits, Route
from sidecar.core.control import AliasVersion
from taximeter.v1 import aliases_pb2 as pb
from taximeter.v1 import invocation_pb2

E = TypeVar("E", bound=Enum)
_OPERATION_OF_MODALITY = {
    pb.MODALITY_IMAGE: Operation.IMAGE_GENERATE,
    pb.MODALITY_AUDIO: Operation.SPEECH_TRANSCRIBE,
    pb.MODALITY_VIDEO: Operation.VIDEO_GENERATE,
}
"""Of an alias that names no capability; text: any of the operations that are text."""


def message_of(version: AliasVersion) -> pb.AliasDefinition:
    """As it is stored. Fields of a later version of Taximeter are passed over."""
    return ParseDict(dict(version.definition), pb.AliasDefinition(), ignore_unknown_fields=True)


def stored(definition: pb.AliasDefinition) -> Mapping[str, object]:
    """What `AliasVersion.definition` holds."""
    found: Mapping[str, object] = MessageToDict(definition, preserving_proto_field_name=True)
    return found


def alias_of(version: AliasVersion) -> Alias:
    """Without what depends on the accounts (`key_hints`, `unusable`)."""
    made = message_of(version)
    limits = made.limits
    return Alias(
        name=version.name,
        routes=tuple(map(_route, made.targets)),
        strategy=member(Strategy, pb.RoutingStrategy, made.strategy) or Strategy.FAILOVER,
        preference=member(Preference, invocation_pb2.RoutingPreference, made.routing_preference),
        stream_recovery=member(StreamRecovery, invocation_pb2.StreamRecovery, made.stream_recovery)
        or StreamRecovery.ERROR,
        allow_aggregators=made.allow_aggregators,
        version=version.version,
        timeouts=timeouts_of(made.timeouts),
        operation=operation_of(made),
        fallback_on_budget=made.fallback_on_budget if made.HasField("fallback_on_budget") else True,
        parameters=MessageToDict(made.parameters),
        max_tokens=limits.max_tokens if limits.HasField("max_tokens") else None,
        limits=RateLimits(
            max_concurrent=limits.max_concurrent if limits.HasField("max_concurrent") else None,
            requests_per_minute=limits.requests_per_minute if limits.HasField("requests_per_minute") else None,
        ),
    )


def operation_of(definition: pb.AliasDefinition) -> Operation | None:
    """What the alias is for; None: any operation that is text."""
    capability = member(Capability, invocation_pb2.Capability, definition.capability)
    if capability is not None:
        return OPERATION_OF[capability]
    return _OPERATION_OF_MODALITY.get(definition.modality)


def member(kind: type[E], of: Any, number: int) -> E | None:
    """The member of ours that a value of a protobuf enum stands for; None: unspecified, or not one of its values."""
    name = of.Name(number) if number in of.values() else ""
    prefix = of.Name(0).removesuffix("UNSPECIFIED")
    return kind.__members__.get(name.removeprefix(prefix))


def timeouts_of(given: invocation_pb2.Timeouts) -> Timeouts:
    def seconds(field: str) -> float | None:
        wait: Duration = getattr(given, field)
        return wait.ToNanoseconds() / 1e9 if given.HasField(field) else None  # type: ignore[arg-type]

    return Timeouts(seconds("connect"), seconds("ttft"), seconds("response"), seconds("stall"))


def _route(target: pb.AliasTarget) -> Route:
    return Route(
        Target(target.provider, target.model),
        weight=target.weight if target.HasField("weight") else 1,
        priority=target.priority if target.HasField("priority") else None,
    )

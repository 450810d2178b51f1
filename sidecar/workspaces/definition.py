"""A stored definition -> an alias that routing reads. Read as plain JSON: a view with all its aliases is made in a
moment, on the loop."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict

from sidecar.core.aliases import OPERATION_OF
from sidecar.core.call import Capability, Operation, Preference, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import Alias, RateLimits, Route
from sidecar.core.control import AliasVersion
from taximeter.v1 import aliases_pb2 as pb
from taximeter.v1 import invocation_pb2

E = TypeVar("E", bound=Enum)
_OPERATION_OF_MODALITY = {
    "MODALITY_IMAGE": Operation.IMAGE_GENERATE,
    "MODALITY_AUDIO": Operation.SPEECH_TRANSCRIBE,
    "MODALITY_VIDEO": Operation.VIDEO_GENERATE,
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
    made: Mapping[str, Any] = version.definition
    limits = made.get("limits", {})
    return Alias(
        name=version.name,
        routes=tuple(map(_route, made.get("targets", ()))),
        strategy=_named(Strategy, "ROUTING_STRATEGY_", made.get("strategy")) or Strategy.FAILOVER,
        preference=_named(Preference, "ROUTING_PREFERENCE_", made.get("routing_preference")),
        stream_recovery=_named(StreamRecovery, "STREAM_RECOVERY_", made.get("stream_recovery")) or StreamRecovery.ERROR,
        allow_aggregators=made.get("allow_aggregators", False),
        version=version.version,
        timeouts=_timeouts(made.get("timeouts", {})),
        operation=_operation(made.get("capability"), made.get("modality")),
        fallback_on_budget=made.get("fallback_on_budget", True),
        parameters=made.get("parameters", {}),
        max_tokens=limits.get("max_tokens"),
        limits=RateLimits(limits.get("max_concurrent"), limits.get("requests_per_minute")),
    )


def operation_of(definition: pb.AliasDefinition) -> Operation | None:
    """What the alias is for; None: any operation that is text."""
    return _operation(
        _name_of(invocation_pb2.Capability, definition.capability), _name_of(pb.Modality, definition.modality)
    )


def capability_of(definition: pb.AliasDefinition) -> Capability | None:
    return _named(Capability, "CAPABILITY_", _name_of(invocation_pb2.Capability, definition.capability))


def _operation(capability: str | None, modality: str | None) -> Operation | None:
    named = _named(Capability, "CAPABILITY_", capability)
    return OPERATION_OF[named] if named is not None else _OPERATION_OF_MODALITY.get(modality or "")


def _name_of(kind: Any, number: int) -> str:
    """Empty for what is not one of its values."""
    name: str = kind.Name(number) if number in kind.values() else ""
    return name


def _named(kind: type[E], prefix: str, name: str | None) -> E | None:
    """ "ROUTING_STRATEGY_RANDOM" -> Strategy.RANDOM; None: not said, or said by a later version of Taximeter."""
    return kind.__members__.get(name.removeprefix(prefix)) if name else None


def _timeouts(given: Mapping[str, str]) -> Timeouts:
    """Durations as protobuf writes them in JSON: "1.500s"."""

    def seconds(name: str) -> float | None:
        return float(given[name].removesuffix("s")) if name in given else None

    return Timeouts(seconds("connect"), seconds("ttft"), seconds("response"), seconds("stall")) if given else _UNTIMED


_UNTIMED = Timeouts()


def _route(target: Mapping[str, Any]) -> Route:
    return Route(
        Target(target.get("provider", ""), target.get("model", "")),
        weight=target.get("weight", 1),
        priority=target.get("priority"),
    )

"""How aliases are shown: a row of a table, or all of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taximeter.v1 import aliases_pb2 as pb


def lines(found: pb.AliasVersion) -> Iterator[tuple[str, object]]:
    from google.protobuf.json_format import MessageToDict

    alias = found.alias
    yield "alias", f"{alias.name} ({alias.display_name})" if alias.display_name else alias.name
    when = f", made {made(found)} by {found.created_by or '-'}" if found.HasField("created_at") else ""
    yield "version", f"{found.version} ({found.source}){when}{', deleted' * found.deleted}"
    yield "for", ", ".join(filter(None, (modality(alias), capability(alias)))) or "any text"
    for place, target in enumerate(alias.targets):
        yield "chain" if place == 0 else "", target_text(target)
    yield "strategy", strategy(alias) + (f", {preference(alias)} first" if preference(alias) != "-" else "")
    yield "broken streams", _recovery(alias)
    yield "aggregators", "allowed" if alias.allow_aggregators else "not allowed"
    on_budget = alias.fallback_on_budget or not alias.HasField("fallback_on_budget")
    yield "key's budget", "used up: the next target" if on_budget else "used up: stop"
    for label, part in (("limits", alias.limits), ("parameters", alias.parameters), ("timeouts", alias.timeouts)):
        told = MessageToDict(part, preserving_proto_field_name=True)
        if told:
            yield label, ", ".join(f"{name}={value}" for name, value in told.items())
    yield "usable", "yes" if found.usable else "no"
    if found.reason:
        yield "but" if found.usable else "because", found.reason


def chain(alias: pb.AliasDefinition) -> str:
    return " → ".join(map(target_text, alias.targets))


def target_text(target: pb.AliasTarget) -> str:
    marks = [f"{name} {getattr(target, name)}" for name in ("weight", "priority") if target.HasField(name)]
    place = f"{target.provider}/{target.model}" if target.model else target.provider
    return f"{place} ({', '.join(marks)})" if marks else place


def modality(alias: pb.AliasDefinition) -> str:
    from taximeter.v1 import aliases_pb2 as pb

    return _word(pb.Modality, "MODALITY", alias.modality)


def capability(alias: pb.AliasDefinition) -> str:
    from taximeter.v1 import invocation_pb2

    return _word(invocation_pb2.Capability, "CAPABILITY", alias.capability).replace("-", " ")


def strategy(alias: pb.AliasDefinition) -> str:
    from taximeter.v1 import aliases_pb2 as pb

    return _word(pb.RoutingStrategy, "ROUTING_STRATEGY", alias.strategy) or "failover"


def preference(alias: pb.AliasDefinition) -> str:
    from taximeter.v1 import invocation_pb2

    return _word(invocation_pb2.RoutingPreference, "ROUTING_PREFERENCE", alias.routing_preference) or "-"


def _recovery(alias: pb.AliasDefinition) -> str:
    from taximeter.v1 import invocation_pb2

    return _word(invocation_pb2.StreamRecovery, "STREAM_RECOVERY", alias.stream_recovery) or "error"


def _word(kind: Any, prefix: str, number: int) -> str:
    """Empty if it is not said; the number itself if this version does not know it."""
    if number not in kind.values():
        return str(number)
    return kind.Name(number).removeprefix(f"{prefix}_").lower().replace("_", "-") if number else ""


def made(version: pb.AliasVersion) -> str:
    return f"{version.created_at.ToDatetime():%Y-%m-%d %H:%M}" if version.HasField("created_at") else "-"

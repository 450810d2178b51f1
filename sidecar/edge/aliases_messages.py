"""Aliases as messages: those of the workspace as they are stored, those of the configuration in the same form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from sidecar.core.aliases import hinted, obstacle
from sidecar.core.call import KeyScope, Timeouts, scope_of
from sidecar.core.catalog import Account, Alias, Catalog, Route
from sidecar.core.control import AliasVersion
from sidecar.edge import metering
from sidecar.settings.built_in import retired
from sidecar.settings.rows import SPELLINGS
from sidecar.workspaces import alias_of, serving
from sidecar.workspaces.definition import message_of
from taximeter.v1 import aliases_pb2 as pb
from taximeter.v1 import invocation_pb2

CONFIGURATION = "configuration"
_MODALITIES = {
    KeyScope.TEXT: pb.MODALITY_TEXT,
    KeyScope.IMAGE: pb.MODALITY_IMAGE,
    KeyScope.AUDIO: pb.MODALITY_AUDIO,
    KeyScope.VIDEO: pb.MODALITY_VIDEO,
}


def version_message(version: AliasVersion, catalog: Catalog) -> pb.AliasVersion:
    """`catalog`: what its workspace sees now, by which it is judged."""
    alias = alias_of(version)
    made = pb.AliasVersion(
        alias=message_of(version),
        version=version.version,
        created_by=version.created_by,
        source=version.source,
        deleted=version.deleted,
        usable=not version.deleted and not hinted(alias, serving(catalog)).unusable,
        reason="" if version.deleted else reason(alias, serving(catalog)),
    )
    made.created_at.CopyFrom(metering.timestamp(version.created_ns))
    return made


def configured_message(alias: Alias, catalog: Catalog) -> pb.AliasVersion:
    """An alias that the configuration gives."""
    return pb.AliasVersion(
        alias=_definition(alias),
        version=alias.version,
        source=CONFIGURATION,
        usable=not alias.unusable,
        reason=reason(alias, serving(catalog)),
    )


def reason(alias: Alias, accounts: Mapping[str, Account]) -> str:
    """What stands in the way of its targets, and which models are going."""
    return "; ".join(dict.fromkeys(_troubles(alias, accounts)))


def _troubles(alias: Alias, accounts: Mapping[str, Account]) -> Iterator[str]:
    for route in alias.routes:
        account = accounts.get(route.target.provider)
        if account is None:
            yield f"{route.target.provider} is not available in this version"
            continue
        if problem := obstacle(account, alias.operation):
            yield problem
        if gone := retired(account.type, route.target.model):
            yield str(gone)


def normal(definition: pb.AliasDefinition) -> pb.AliasDefinition:
    """A copy with names as they are kept: without spaces around them, providers by their own name."""
    made = pb.AliasDefinition()
    made.CopyFrom(definition)
    made.name = made.name.strip()
    made.display_name = made.display_name.strip()
    for target in made.targets:
        name = target.provider.strip().lower()
        target.provider, target.model = SPELLINGS.get(name, name), target.model.strip()
    return made


def _definition(alias: Alias) -> pb.AliasDefinition:
    made = pb.AliasDefinition(
        name=alias.name,
        modality=_MODALITIES[scope_of(alias.operation)] if alias.operation else pb.MODALITY_UNSPECIFIED,
        targets=map(_target, alias.routes),
        strategy=pb.RoutingStrategy.Value(f"ROUTING_STRATEGY_{alias.strategy.name}"),
        routing_preference=invocation_pb2.RoutingPreference.Value(_name("ROUTING_PREFERENCE", alias.preference)),
        stream_recovery=invocation_pb2.StreamRecovery.Value(_name("STREAM_RECOVERY", alias.stream_recovery)),
        allow_aggregators=alias.allow_aggregators,
    )
    if alias.timeouts != Timeouts():
        made.timeouts.CopyFrom(_timeouts(alias.timeouts))
    return made


def _name(kind: str, value: StrEnum | None) -> str:
    return f"{kind}_{value.name if value is not None else 'UNSPECIFIED'}"


def _target(route: Route) -> pb.AliasTarget:
    return pb.AliasTarget(
        provider=route.target.provider,
        model=route.target.model,
        weight=None if route.weight == 1 else route.weight,
        priority=route.priority,
    )


def _timeouts(timeouts: Timeouts) -> invocation_pb2.Timeouts:
    made = invocation_pb2.Timeouts()
    for name in ("connect", "ttft", "response", "stall"):
        seconds = getattr(timeouts, f"{name}_s")
        if seconds is not None:
            getattr(made, name).CopyFrom(metering.duration(round(seconds * 1e9)))
    return made

"""AliasService: a workspace's names for chains of models. Every change is a version, and every version is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, AliasVersion
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import aliases_messages as messages
from sidecar.edge.access import actor, workspace_of
from sidecar.edge.aliases_check import violations
from sidecar.edge.decode import invalid
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.plane.plane import ControlPlane
from sidecar.settings.nearest import did_you_mean
from sidecar.workspaces import stored
from taximeter.v1 import aliases_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["AliasService"].full_name
MAX_ALIASES = 1000
"""Of one workspace."""
Seen = Callable[[str], Catalog]


class AliasService:
    def __init__(self, plane: ControlPlane, system: Callable[[], Catalog], seen: Seen, clock: Clock) -> None:
        """`system`: the operator's catalogue; `seen`: what a workspace sees."""
        self._plane = plane
        self._system = system
        self._seen = seen
        self._clock = clock

    def handlers(self, border: Border) -> Handlers:
        answers: dict[str, tuple[type[Message], Callable[[Any, Rpc], Awaitable[Message]]]] = {
            "CreateAlias": (pb.CreateAliasRequest, self._create),
            "ListAliases": (pb.ListAliasesRequest, self._list),
            "GetAlias": (pb.GetAliasRequest, self._get),
            "UpdateAlias": (pb.UpdateAliasRequest, self._update),
            "DeleteAlias": (pb.DeleteAliasRequest, self._delete),
            "ListAliasVersions": (pb.ListAliasVersionsRequest, self._versions),
        }

        def handler(name: str) -> grpc.RpcMethodHandler[Any, Any]:
            kind, answer = answers[name]

            async def ask(body: bytes, rpc: Rpc) -> bytes:
                return (await answer(border.parse(kind, body), rpc)).SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        return {name: handler(name) for name in answers}

    async def _create(self, asked: pb.CreateAliasRequest, rpc: Rpc) -> pb.CreateAliasResponse:
        made, workspace, who = self._checked(asked.alias, rpc), rpc.identity.workspace, actor(rpc)

        def create(change: Change) -> AliasVersion:
            if (workspace, made.name) in change.control.aliases:
                raise _taken(made.name)
            return _put(change, who, "alias.create", workspace, made)

        version = await self._plane.change(who, create)
        return pb.CreateAliasResponse(alias=self._told(version))

    async def _update(self, asked: pb.UpdateAliasRequest, rpc: Rpc) -> pb.UpdateAliasResponse:
        made, workspace, who = self._checked(asked.alias, rpc), rpc.identity.workspace, actor(rpc)
        configured = self._system().aliases.get(made.name)

        def update(change: Change) -> AliasVersion:
            own = change.control.aliases.get((workspace, made.name))
            if own is None and configured is None:
                raise self._unknown(workspace, made.name)
            now = own.version if own is not None else configured.version if configured is not None else 0
            if asked.expected_version not in (0, now):
                raise _conflict(made.name, asked.expected_version, now)
            return _put(change, who, "alias.update", workspace, made)

        version = await self._plane.change(who, update)
        return pb.UpdateAliasResponse(alias=self._told(version))

    async def _delete(self, asked: pb.DeleteAliasRequest, rpc: Rpc) -> pb.DeleteAliasResponse:
        workspace, who = rpc.identity.workspace, actor(rpc)

        def delete(change: Change) -> int:
            own = change.control.aliases.get((workspace, asked.name))
            if own is None:
                raise self._not_own(workspace, asked.name)
            gone = replace(own, version=own.version + 1, created_ns=change.now_ns, created_by=who.name, deleted=True)
            change.put("alias.delete", replace(gone, source="workspace"))
            return gone.version

        return pb.DeleteAliasResponse(version=await self._plane.change(who, delete))

    async def _list(self, asked: pb.ListAliasesRequest, rpc: Rpc) -> pb.ListAliasesResponse:
        workspace = workspace_of(rpc, asked.workspace_id)
        own, seen = self._own(workspace), self._seen(workspace)
        told = [
            messages.version_message(own[name], seen) if name in own else messages.configured_message(alias, seen)
            for name, alias in sorted(seen.aliases.items())
        ]
        return pb.ListAliasesResponse(aliases=told)

    async def _get(self, asked: pb.GetAliasRequest, rpc: Rpc) -> pb.GetAliasResponse:
        workspace = workspace_of(rpc, asked.workspace_id)
        if not asked.version:
            return pb.GetAliasResponse(alias=self._in_force(workspace, asked.name))
        for version in await self._kept(workspace, asked.name):
            if version.version == asked.version:
                return pb.GetAliasResponse(alias=self._told(version))
        raise Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_ALIAS,
            f"Alias {asked.name!r} has no version {asked.version}: `taximeter aliases versions` lists them.",
            {"alias": asked.name},
        )

    async def _versions(self, asked: pb.ListAliasVersionsRequest, rpc: Rpc) -> pb.ListAliasVersionsResponse:
        """What the configuration gives is the oldest."""
        workspace = workspace_of(rpc, asked.workspace_id)
        told = [self._told(version) for version in await self._kept(workspace, asked.name)]
        if not told:
            told = [self._in_force(workspace, asked.name)]
        return pb.ListAliasVersionsResponse(versions=told)

    async def _kept(self, workspace: str, name: str) -> Sequence[AliasVersion]:
        return await self._plane.ask(lambda store: store.alias_versions(workspace, name))

    def _checked(self, definition: pb.AliasDefinition, rpc: Rpc) -> pb.AliasDefinition:
        """Raises Refusal (INVALID_REQUEST) with everything that is wrong."""
        made = messages.normal(definition)
        workspace = rpc.identity.workspace
        found = list(violations(made, self._seen(workspace), self._today()))
        if made.name not in (own := self._own(workspace)) and len(own) >= MAX_ALIASES:
            found.append(("alias", f"a workspace has at most {MAX_ALIASES} of its own"))
        if found:
            raise invalid(found)
        return made

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC).date()

    def _own(self, workspace: str) -> dict[str, AliasVersion]:
        held = self._plane.control.aliases.items()
        return {name: version for (of, name), version in held if of == workspace and not version.deleted}

    def _told(self, version: AliasVersion) -> pb.AliasVersion:
        return messages.version_message(version, self._seen(version.workspace))

    def _in_force(self, workspace: str, name: str) -> pb.AliasVersion:
        """Raises Refusal (UNKNOWN_ALIAS)."""
        own = self._own(workspace).get(name)
        if own is not None:
            return self._told(own)
        seen = self._seen(workspace)
        if name not in seen.aliases:
            raise self._unknown(workspace, name)
        return messages.configured_message(seen.aliases[name], seen)

    def _unknown(self, workspace: str, name: str) -> Refusal:
        guess = did_you_mean(name, self._seen(workspace).aliases)
        told = f"There is no alias {name!r}{guess}" if name else "name: is required"
        return Refusal("NOT_FOUND", RefusalReason.UNKNOWN_ALIAS, f"{told}. `taximeter aliases list` shows them all.")

    def _not_own(self, workspace: str, name: str) -> Refusal:
        if name not in self._system().aliases:
            return self._unknown(workspace, name)
        return Refusal(
            "FAILED_PRECONDITION",
            RefusalReason.UNKNOWN_ALIAS,
            f"Alias {name!r} is the configuration's: this workspace has no definition of its own to delete.",
            {"alias": name},
        )


def _put(change: Change, who: Actor, action: str, workspace: str, made: pb.AliasDefinition) -> AliasVersion:
    """A version counts on from all that there were, deleted ones too."""
    before = change.alias_versions(workspace, made.name)
    number = before[0].version + 1 if before else 1
    version = AliasVersion(workspace, made.name, number, stored(made), change.now_ns, who.name)
    change.put(action, version)
    return version


def _taken(name: str) -> Refusal:
    return Refusal(
        "ALREADY_EXISTS",
        RefusalReason.NAME_TAKEN,
        f"This workspace has an alias {name!r} already: `taximeter aliases update {name}` changes it.",
        {"alias": name},
    )


def _conflict(name: str, expected: int, now: int) -> Refusal:
    return Refusal(
        "ABORTED",
        RefusalReason.VERSION_CONFLICT,
        f"Alias {name!r} is at version {now} by now, not {expected}: look at it again before you change it.",
        {"alias": name, "version": str(now)},
    )

"""WorkspaceService: tenants are made, changed, archived, exported and deleted here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE, AliasVersion, PlatformKeys, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import metering
from sidecar.edge.access import actor, open_workspace, sees, workspace_of, wrong
from sidecar.edge.export import export
from sidecar.edge.roles import Least, role_required
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.usage import UsageRelay
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import workspaces_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["WorkspaceService"].full_name
MAX_DISPLAY_NAME = 128
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_KEYS = {getattr(pb, f"PLATFORM_KEYS_{each.name}"): each for each in PlatformKeys}
DefaultAliases = Callable[[str, int, str], Sequence[AliasVersion]]
"""(workspace, now_ns, created_by) -> what a new workspace gets."""


class WorkspaceService:
    def __init__(self, plane: ControlPlane, relay: UsageRelay, default_aliases: DefaultAliases, clock: Clock) -> None:
        self._plane = plane
        self._relay = relay
        self._default_aliases = default_aliases
        self._clock = clock

    def handlers(self, border: Border) -> Handlers:
        def unary(name: str, kind: type[Message], answer: Callable[[Any, Rpc], Any]) -> grpc.RpcMethodHandler[Any, Any]:
            async def ask(body: bytes, rpc: Rpc) -> bytes:
                told: Message = await answer(border.parse(kind, body), rpc)
                return told.SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        async def exported(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
            await self._export(border.parse(pb.ExportWorkspaceRequest, body), rpc, write)

        return {
            "CreateWorkspace": unary("CreateWorkspace", pb.CreateWorkspaceRequest, self._create),
            "ListWorkspaces": unary("ListWorkspaces", pb.ListWorkspacesRequest, self._list),
            "UpdateWorkspace": unary("UpdateWorkspace", pb.UpdateWorkspaceRequest, self._update),
            "ArchiveWorkspace": unary("ArchiveWorkspace", pb.ArchiveWorkspaceRequest, self._archive),
            "ExportWorkspace": border.parts(f"{SERVICE}/ExportWorkspace", exported),
            "DeleteWorkspace": unary("DeleteWorkspace", pb.DeleteWorkspaceRequest, self._delete),
        }

    async def _create(self, asked: pb.CreateWorkspaceRequest, rpc: Rpc) -> pb.CreateWorkspaceResponse:
        if not _ID.fullmatch(asked.workspace_id):
            raise wrong(
                "workspace_id", "must be lower-case letters, digits, - and _, begin with no sign, and have 63 at most"
            )
        name, display = asked.workspace_id, _display_in(asked.display_name)
        keys = _platform_keys_in(asked.platform_keys) or PlatformKeys.NEVER

        def do(change: Change) -> Workspace:
            if name in change.control.workspaces:
                raise Refusal(
                    "ALREADY_EXISTS",
                    RefusalReason.NAME_TAKEN,
                    f"There is a workspace {name!r} already.",
                    {"workspace": name},
                )
            made = Workspace(name, display, keys, asked.zero_retention, created_ns=change.now_ns)
            change.put("workspace.create", made)
            for alias in self._default_aliases(name, change.now_ns, actor(rpc).name):
                change.put("alias.create", alias)
            return made

        return pb.CreateWorkspaceResponse(workspace=message(await self._plane.change(actor(rpc), do)))

    async def _list(self, asked: pb.ListWorkspacesRequest, rpc: Rpc) -> pb.ListWorkspacesResponse:
        found = [
            workspace
            for workspace in self._plane.control.workspaces.values()
            if sees(rpc, workspace.name) and (asked.include_archived or workspace.archived_ns is None)
        ]
        found.sort(key=lambda each: each.name)
        return pb.ListWorkspacesResponse(workspaces=map(message, found))

    async def _update(self, asked: pb.UpdateWorkspaceRequest, rpc: Rpc) -> pb.UpdateWorkspaceResponse:
        name = workspace_of(rpc, asked.workspace_id)
        keys = _platform_keys_in(asked.platform_keys)
        if keys is not None and not rpc.identity.operator:
            raise role_required("Changing whether the operator's keys serve a workspace", Least.OPERATOR, rpc.identity)
        if keys is not None and keys is not PlatformKeys.ALWAYS and name == DEFAULT_WORKSPACE:
            raise wrong("platform_keys", f"of the workspace {DEFAULT_WORKSPACE!r} are its own: always")
        changes: dict[str, Any] = {} if keys is None else {"platform_keys": keys}
        if asked.HasField("display_name"):
            changes["display_name"] = _display_in(asked.display_name)
        if asked.HasField("zero_retention"):
            changes["zero_retention"] = asked.zero_retention
        return pb.UpdateWorkspaceResponse(
            workspace=message(await self._changed("workspace.update", name, changes, rpc))
        )

    async def _archive(self, asked: pb.ArchiveWorkspaceRequest, rpc: Rpc) -> pb.ArchiveWorkspaceResponse:
        name = _named(asked.workspace_id)
        if name == DEFAULT_WORKSPACE and not asked.restore:
            raise Refusal(
                "FAILED_PRECONDITION",
                RefusalReason.INVALID_REQUEST,
                f"The workspace {DEFAULT_WORKSPACE!r} cannot be archived: it is the operator's own.",
            )
        action = "workspace.restore" if asked.restore else "workspace.archive"
        done = await self._changed(action, name, {"archived_ns": None if asked.restore else self._clock.wall_ns()}, rpc)
        return pb.ArchiveWorkspaceResponse(workspace=message(done))

    async def _export(
        self, asked: pb.ExportWorkspaceRequest, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        name = workspace_of(rpc, asked.workspace_id)
        open_workspace(self._plane.control, name, archived=True)
        await self._plane.change(actor(rpc), lambda change: change.note("workspace.export", name, name))
        async for data in export(name, self._plane, self._relay):
            await write(pb.ExportWorkspaceResponse(data=data).SerializeToString())

    async def _delete(self, asked: pb.DeleteWorkspaceRequest, rpc: Rpc) -> pb.DeleteWorkspaceResponse:
        """Calls first: as long as they are not gone, the workspace is there, and can be deleted again."""
        name = _named(asked.workspace_id)
        if asked.confirm_workspace_id != name:
            raise wrong("confirm_workspace_id", "is not the workspace_id: what is deleted does not come back")
        if open_workspace(self._plane.control, name, archived=True).archived_ns is None:
            raise _not_archived(name)
        calls = await self._relay.erase(name, self._clock.wall_ns())

        def do(change: Change) -> int:
            if open_workspace(change.control, name, archived=True).archived_ns is None:
                raise _not_archived(name)
            keys = sum(key.workspace == name for key in change.control.keys.values())
            change.erase_workspace(name)
            return keys

        return pb.DeleteWorkspaceResponse(deleted_calls=calls, deleted_keys=await self._plane.change(actor(rpc), do))

    async def _changed(self, action: str, name: str, changes: dict[str, Any], rpc: Rpc) -> Workspace:
        """What is as it was leaves no trace in the audit."""

        def do(change: Change) -> Workspace:
            before = open_workspace(change.control, name, archived=True)
            after = dataclasses.replace(before, **changes)
            if changes.get("archived_ns") and before.archived_ns is not None:
                after = before
            if after != before:
                change.put(action, after)
            return after

        return await self._plane.change(actor(rpc), do)


def message(workspace: Workspace) -> pb.Workspace:
    told = pb.Workspace(
        workspace_id=workspace.name,
        display_name=workspace.display_name,
        platform_keys=pb.PlatformKeys.Value(f"PLATFORM_KEYS_{workspace.platform_keys.name}"),
        zero_retention=workspace.zero_retention,
    )
    if workspace.created_ns:
        told.created_at.CopyFrom(metering.timestamp(workspace.created_ns))
    if workspace.archived_ns is not None:
        told.archived_at.CopyFrom(metering.timestamp(workspace.archived_ns))
    return told


def _named(raw: str) -> str:
    if not raw:
        raise wrong("workspace_id", "is required")
    return raw


def _not_archived(name: str) -> Refusal:
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.INVALID_REQUEST,
        f"The workspace {name!r} is in use: `taximeter workspaces archive {name}` comes before its deletion.",
        {"workspace": name},
    )


def _display_in(raw: str) -> str:
    name = raw.strip()
    if len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise wrong("display_name", f"must be printable, and at most {MAX_DISPLAY_NAME} characters")
    return name


def _platform_keys_in(asked: pb.PlatformKeys.ValueType) -> PlatformKeys | None:
    """None: not said."""
    if asked == pb.PLATFORM_KEYS_UNSPECIFIED:
        return None
    if asked not in _KEYS:
        raise wrong("platform_keys", "is none that this version knows")
    return _KEYS[asked]

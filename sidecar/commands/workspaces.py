"""`taximeter workspaces`: tenants, through the sidecar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from sidecar.arguments import Exit
from sidecar.commands.calling import client, document
from sidecar.commands.context import err, fail, out, print_json
from sidecar.commands.show import count, when
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter.v1 import workspaces_pb2 as pb
    from taximeter.v1.workspaces_pb2_grpc import WorkspaceServiceStub

COLUMNS = ("workspace", "name", "operator's keys", "retention", "state", "created")
DELETION_S = 600.0
"""Calls are deleted bit by bit; what is not done in this time goes on by itself."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is said of a workspace; None: nothing."""

    display: str | None = None
    platform_keys: str | None = None
    zero_retention: bool | None = None


def create(name: str, wish: Wish, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    request = pb.CreateWorkspaceRequest(
        workspace_id=name,
        display_name=wish.display or "",
        platform_keys=_keys_in(wish.platform_keys),
        zero_retention=bool(wish.zero_retention),
    )
    with _workspaces(address) as workspaces:
        made = workspaces.CreateWorkspace(request)
    if as_json:
        return document(made)
    out.print(f"{name} is there", markup=False)
    out.print(f"next: taximeter tokens create NAME --role admin --workspace {name}", markup=False, style="dim")
    return Exit.OK


def list_(*, everything: bool, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    from taximeter.v1 import workspaces_pb2 as pb

    with _workspaces(address) as workspaces:
        found = workspaces.ListWorkspaces(pb.ListWorkspacesRequest(include_archived=everything)).workspaces
    if as_json:
        for workspace in found:
            print_json(MessageToDict(workspace))
    else:
        show_table(COLUMNS, map(_row, found), whole=("workspace",), spare=("created", "retention"), wide=wide)
    return Exit.OK


def update(name: str, wish: Wish, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    request = pb.UpdateWorkspaceRequest(
        workspace_id=name,
        display_name=wish.display,
        platform_keys=_keys_in(wish.platform_keys),
        zero_retention=wish.zero_retention,
    )
    with _workspaces(address) as workspaces:
        done = workspaces.UpdateWorkspace(request)
    if as_json:
        return document(done)
    show_table(COLUMNS, [_row(done.workspace)], whole=("workspace",), spare=("created",))
    return Exit.OK


def archive(name: str, *, restore: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    with _workspaces(address) as workspaces:
        done = workspaces.ArchiveWorkspace(pb.ArchiveWorkspaceRequest(workspace_id=name, restore=restore))
    if as_json:
        return document(done)
    told = "is in use again" if restore else "is archived: its callers are refused from now on"
    out.print(f"{name} {told}", markup=False)
    return Exit.OK


def export(name: str, to: str, *, address: str) -> int:
    """Returns an exit code. A file is there when all of it is."""
    from taximeter.v1 import workspaces_pb2 as pb

    written = 0
    with _workspaces(address) as workspaces, _writing(to) as file:
        for part in workspaces.ExportWorkspace(pb.ExportWorkspaceRequest(workspace_id=name)):
            file.write(part.data)
            written += part.data.count(b"\n")
    err.print(f"{count(written)} lines", style="dim")
    return Exit.OK


def delete(name: str, *, yes: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    confirmed = name if yes else _confirmed(name)
    with _workspaces(address, DELETION_S) as workspaces:
        done = workspaces.DeleteWorkspace(pb.DeleteWorkspaceRequest(workspace_id=name, confirm_workspace_id=confirmed))
    if as_json:
        return document(done)
    gone = ((done.deleted_calls, "call"), (done.deleted_keys, "key"))
    told = " and ".join(f"{count(number)} {what}{'s' * (number != 1)}" for number, what in gone)
    out.print(f"{name} is deleted, with {told}", markup=False)
    return Exit.OK


@contextmanager
def _workspaces(address: str, timeout_s: float = 30.0) -> Iterator[WorkspaceServiceStub]:
    from taximeter.v1.workspaces_pb2_grpc import WorkspaceServiceStub

    with client(address, timeout_s) as connected:
        yield connected.service(WorkspaceServiceStub)


@contextmanager
def _writing(to: str) -> Iterator[BinaryIO]:
    if to == "-":
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    path = Path(to)
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        fail(f"{to}: {error.strerror}")
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _confirmed(name: str) -> str:
    """What is typed must be the name."""
    if not sys.stdin.isatty():
        fail("say --yes where nobody can be asked", Exit.USAGE)
    err.print(f"All of {name} goes: keys, tokens, aliases, budgets, calls. It does not come back.", markup=False)
    typed: str = typer.prompt("Its name once more", err=True)
    return typed


def _row(workspace: pb.Workspace) -> tuple[str, ...]:
    from taximeter.v1 import workspaces_pb2 as pb

    return (
        workspace.workspace_id,
        workspace.display_name or "-",
        pb.PlatformKeys.Name(workspace.platform_keys).removeprefix("PLATFORM_KEYS_").lower(),
        "none" if workspace.zero_retention else "usual",
        "archived" if workspace.HasField("archived_at") else "in use",
        when(workspace.created_at.ToDatetime()) if workspace.HasField("created_at") else "-",
    )


def _keys_in(text: str | None) -> pb.PlatformKeys.ValueType:
    from taximeter.v1 import workspaces_pb2 as pb

    if text is None:
        return pb.PLATFORM_KEYS_UNSPECIFIED
    known = [name.removeprefix("PLATFORM_KEYS_").lower() for name in pb.PlatformKeys.keys()[1:]]
    if text.lower() not in known:
        fail(f"--platform-keys {text}: none of {', '.join(known)}", Exit.USAGE)
    return pb.PlatformKeys.Value(f"PLATFORM_KEYS_{text.upper()}")

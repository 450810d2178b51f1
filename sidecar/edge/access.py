"""What a handler asks about its caller: on whose behalf it changes something, and which workspace it may look into."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.core.control import Actor, Budget, Control, ProviderKey, Token, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.auth import Identity, is_unix
from sidecar.edge.roles import ACCESS
from sidecar.edge.rpc import Rpc

LOCAL = "local"
MOST_HELD = 10_000
"""Good tokens, keys, budgets of one workspace, each."""


def actor(rpc: Rpc) -> Actor:
    """Who the audit names."""
    return Actor(rpc.identity.caller or LOCAL, origin(rpc.peer))


def origin(address: str) -> str:
    """ "unix", "ipv4:10.1.2.3", "ipv6:[fd00::1]": a peer's address without the port, which means nothing later on."""
    return "unix" if is_unix(address) else address.rpartition(":")[0]


def workspace_of(rpc: Rpc, asked: str) -> str:
    """The workspace that a request is about; `asked` empty: the caller's own. Raises Refusal (WORKSPACE_MISMATCH)."""
    workspace = asked or rpc.identity.workspace
    if not ACCESS[rpc.method].reaches(rpc.identity, workspace):
        raise mismatch(rpc.identity, asked)
    return workspace


def sees(rpc: Rpc, workspace: str) -> bool:
    """Whether what is named by an id, and belongs to `workspace`, is there for this caller: if not, it is NOT_FOUND."""
    return ACCESS[rpc.method].reaches(rpc.identity, workspace)


def mismatch(identity: Identity, asked: str) -> Refusal:
    """The same whether there is such a workspace or not."""
    return Refusal(
        "PERMISSION_DENIED",
        RefusalReason.WORKSPACE_MISMATCH,
        f"This caller belongs to the workspace {identity.workspace!r}, not to {asked!r}.",
        {"workspace": identity.workspace},
    )


def open_workspace(control: Control, name: str, *, archived: bool = False) -> Workspace:
    """A workspace that is there, and in use unless `archived` ones will do too. Raises Refusal (UNKNOWN_WORKSPACE)."""
    found = control.workspaces.get(name)
    if found is None:
        raise Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_WORKSPACE,
            f"There is no workspace {name!r}: `taximeter workspaces list` shows those there are.",
            {"workspace": name},
        )
    if found.archived_ns is not None and not archived:
        raise Refusal(
            "FAILED_PRECONDITION",
            RefusalReason.UNKNOWN_WORKSPACE,
            f"The workspace {name!r} is archived: `taximeter workspaces restore {name}` takes it back into use.",
            {"workspace": name},
        )
    return found


def room_for_one(held: Iterable[Token | ProviderKey | Budget], workspace: str, what: str, takes_away: str) -> None:
    """Raises Refusal (INVALID_REQUEST) where a workspace has as many as one can: all are read at every change."""
    if sum(each.workspace == workspace for each in held) >= MOST_HELD:
        raise Refusal(
            "FAILED_PRECONDITION",
            RefusalReason.INVALID_REQUEST,
            f"The workspace {workspace!r} has {MOST_HELD} {what}, and no more can be: {takes_away} makes room.",
        )


def wrong(field: str, what: str) -> Refusal:
    """One field of a request is at fault."""
    return Refusal(
        "INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, f"{field} {what}", field_violations=((field, what),)
    )

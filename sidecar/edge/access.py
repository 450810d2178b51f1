"""What a handler asks about its caller: on whose behalf it changes something, and which workspace it may look into."""

from __future__ import annotations

from sidecar.core.control import Actor
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.auth import Identity, is_unix
from sidecar.edge.roles import ACCESS
from sidecar.edge.rpc import Rpc

LOCAL = "local"


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

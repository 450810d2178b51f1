"""Who may ask what: one row for every RPC that the sidecar serves. An RPC without a row is not served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sidecar.core.control import DEFAULT_WORKSPACE, Role
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.auth import Identity, Peer, is_unix


class Least(StrEnum):
    """The least that a caller must be, from nothing up. An admin is a member, who is a viewer."""

    OPEN = "open"
    """Not even known."""
    CALLER = "any caller"
    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OPERATOR = "operator"
    """Admin of the workspace "default"."""
    SOCKET = "unix socket"
    """Whoever may open it, which its file mode says."""


class Across(StrEnum):
    """Who may ask it about another workspace than their own."""

    NOBODY = "nobody"
    OPERATOR = "operator"
    AUDITOR = "auditor, operator"


@dataclass(frozen=True, slots=True)
class Access:
    least: Least
    across: Across = Across.NOBODY

    def admits(self, identity: Identity, peer: Peer) -> bool:
        """An auditor has a viewer's rights, and may ask what is shown to auditors of all workspaces."""
        if identity.role in _ROLES[self.least]:
            return True
        match self.least:
            case Least.OPERATOR if identity.operator:
                return True
            case Least.SOCKET:
                return is_unix(peer.address)
        return identity.role is Role.AUDITOR and self.across is Across.AUDITOR

    def reaches(self, identity: Identity, workspace: str) -> bool:
        """Whether a caller that is admitted may ask it about `workspace`."""
        return workspace == identity.workspace or self.reaches_all(identity)

    def reaches_all(self, identity: Identity) -> bool:
        match self.across:
            case Across.NOBODY:
                return False
            case Across.OPERATOR:
                return identity.operator
            case Across.AUDITOR:
                return identity.operator or identity.role is Role.AUDITOR


_ROLES: Mapping[Least, frozenset[Role]] = {
    Least.OPEN: frozenset(Role),
    Least.CALLER: frozenset(Role),
    Least.VIEWER: frozenset(Role),
    Least.MEMBER: frozenset({Role.MEMBER, Role.ADMIN}),
    Least.ADMIN: frozenset({Role.ADMIN}),
    Least.OPERATOR: frozenset(),
    Least.SOCKET: frozenset(),
}
"""Those to whom nothing else matters."""


def _service(name: str, **methods: Access) -> dict[str, Access]:
    return {f"{name}/{method}": access for method, access in methods.items()}


_OPEN, _CALLER, _VIEWER, _MEMBER, _ADMIN, _OPERATOR, _SOCKET = map(Access, Least)
_READ = Access(Least.VIEWER, Across.AUDITOR)
"""Of the caller's workspace; of all by auditors."""
_LOOK = Access(Least.ADMIN, Across.AUDITOR)
"""The same, but not for a workspace's viewers and members."""
_MANAGE = Access(Least.ADMIN, Across.OPERATOR)

ACCESS: Mapping[str, Access] = {
    **_service("taximeter.v1.InvocationService", Invoke=_MEMBER, InvokeStream=_MEMBER),
    **_service(
        "taximeter.v1.CatalogService",
        ListProviders=_VIEWER,
        ListModels=_VIEWER,
        ListPrices=_VIEWER,
        ListHealth=_VIEWER,
        WatchHealth=_VIEWER,
        ProbeProvider=_MEMBER,
        ExplainPlan=_VIEWER,
        FindBestProvider=_VIEWER,
        GetCheapestModel=_VIEWER,
        EstimateCost=_VIEWER,
    ),
    **_service("taximeter.v1.ConfigService", Reload=_OPERATOR, GetConfigStatus=_OPERATOR),
    **_service(
        "taximeter.v1.ModelService",
        ListLocalModels=_VIEWER,
        ShowLocalModel=_VIEWER,
        PullLocalModel=_OPERATOR,
        DeleteLocalModel=_OPERATOR,
    ),
    **_service("taximeter.v1.UsageService", QueryUsage=_READ, GetCall=_READ, ExportUsage=_READ),
    **_service(
        "taximeter.v1.WorkspaceService",
        CreateWorkspace=_OPERATOR,
        ListWorkspaces=_READ,
        UpdateWorkspace=_MANAGE,
        ArchiveWorkspace=Access(Least.OPERATOR, Across.OPERATOR),
        ExportWorkspace=_LOOK,
        DeleteWorkspace=Access(Least.OPERATOR, Across.OPERATOR),
    ),
    **_service(
        "taximeter.v1.TokenService",
        CreateToken=_MANAGE,
        ListTokens=_LOOK,
        RevokeToken=_MANAGE,
        BootstrapToken=_SOCKET,
        WhoAmI=_CALLER,
    ),
    **_service(
        "taximeter.v1.KeyService",
        AddKey=_ADMIN,
        ListKeys=_READ,
        UpdateKey=_ADMIN,
        VerifyKey=_ADMIN,
        RotateKey=_ADMIN,
        RevokeKey=_ADMIN,
        RewrapKeys=_OPERATOR,
    ),
    **_service(
        "taximeter.v1.AliasService",
        CreateAlias=_ADMIN,
        ListAliases=_READ,
        GetAlias=_READ,
        UpdateAlias=_ADMIN,
        DeleteAlias=_ADMIN,
        ListAliasVersions=_READ,
    ),
    **_service(
        "taximeter.v1.BudgetService",
        CreateBudget=_MANAGE,
        ListBudgets=_READ,
        UpdateBudget=_MANAGE,
        DeleteBudget=_MANAGE,
        GetBudgetStatus=_READ,
        WatchBudgets=_READ,
    ),
    **_service(
        "taximeter.v1.PriceService",
        SetPrice=_OPERATOR,
        ListPriceOverrides=_READ,
        RemovePrice=_OPERATOR,
        ComparePrices=_OPERATOR,
        RerateCalls=_OPERATOR,
    ),
    **_service("taximeter.v1.BillingService", ListPeriods=_READ, ClosePeriod=Access(Least.OPERATOR, Across.AUDITOR)),
    **_service("taximeter.v1.AuditService", ListAudit=_LOOK, ExportAudit=_LOOK),
    # Answered by gRPC's own servicers, which ask nobody who they are.
    **_service("grpc.health.v1.Health", Check=_OPEN, List=_OPEN, Watch=_OPEN),
    **_service("grpc.reflection.v1alpha.ServerReflection", ServerReflectionInfo=_OPEN),
}


def check(method: str, access: Access, identity: Identity, peer: Peer) -> None:
    """Raises Refusal (ROLE_REQUIRED)."""
    if not access.admits(identity, peer):
        raise role_required(method.rpartition("/")[2], access.least, identity)


def role_required(what: str, least: Least, identity: Identity) -> Refusal:
    """`what` needs more than this caller is."""
    return Refusal(
        "PERMISSION_DENIED",
        RefusalReason.ROLE_REQUIRED,
        f"{what} {_NEEDS[least]}; {_is(identity)}.",
        {"role": identity.role.value, "required": least.value, "workspace": identity.workspace},
    )


_NEEDS: Mapping[Least, str] = {
    **{least: f"needs the role {least.value}" for least in Least},
    Least.OPERATOR: f"is for the operator, an admin of the workspace {DEFAULT_WORKSPACE!r}",
    Least.SOCKET: "is answered over the sidecar's unix socket only",
}


def _is(identity: Identity) -> str:
    if identity.caller:
        return f"this caller has the role {identity.role.value} in the workspace {identity.workspace!r}"
    return (
        f"callers without a token have the role {identity.role.value} here: send a token (TAXIMETER_TOKEN), or call "
        "over the unix socket"
    )

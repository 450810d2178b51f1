"""What the running sidecar says, asked over this home's socket and with the viewer's own token: it decides what they
may see. Without a token it takes the asker for whoever owns the socket, so pages name the viewer's workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards import heard, said
from dashboards.context import Viewer
from taximeter import Client
from taximeter.errors import SidecarUnavailable, TaximeterError
from taximeter.v1 import aliases_pb2, budgets_pb2, catalog_pb2, keys_pb2, workspaces_pb2
from taximeter.v1.aliases_pb2_grpc import AliasServiceStub
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from taximeter.v1.catalog_pb2_grpc import CatalogServiceStub
from taximeter.v1.keys_pb2_grpc import KeyServiceStub
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub

WAIT_S = 3.0
"""A page does not wait longer."""


class NoSidecar(Exception):
    """None answers here."""


class NotAllowed(Exception):
    """The sidecar answered, and not with what was asked for: its own words."""


@contextmanager
def asking(home: str, token: str) -> Iterator[Client]:
    """A client of this home's sidecar. Raises NoSidecar, NotAllowed."""
    socket = Path(home) / "taximeter.sock"
    if not socket.exists():
        raise NoSidecar
    try:
        with Client(f"unix:{socket}", token=token, timeout=WAIT_S) as client:
            yield client
    except SidecarUnavailable:
        raise NoSidecar from None
    except TaximeterError as failed:
        if failed.code == "DEADLINE_EXCEEDED":
            raise NoSidecar from None
        raise NotAllowed(failed.message) from None


def health(home: str, token: str) -> said.Health:
    """Every target that was used, every account that is set up."""
    with asking(home, token) as client:
        told = client.service(CatalogServiceStub).ListHealth(catalog_pb2.ListHealthRequest())
    return said.Health(tuple(map(heard.target, told.targets)), tuple(map(heard.account, told.accounts)))


def workspaces(home: str, token: str) -> list[str]:
    """Names of those that the asker may look into."""
    with asking(home, token) as client:
        told = client.service(WorkspaceServiceStub).ListWorkspaces(workspaces_pb2.ListWorkspacesRequest())
    return [each.workspace_id for each in told.workspaces]


def providers(home: str, token: str) -> list[said.Provider]:
    """Everything that is configured for the asker's workspace, the unusable too."""
    with asking(home, token) as client:
        told = client.service(CatalogServiceStub).ListProviders(catalog_pb2.ListProvidersRequest())
    return [heard.provider(each) for each in told.providers]


def prices(home: str, token: str) -> list[said.Price]:
    """Of every model that has one, by whom it is from."""
    with asking(home, token) as client:
        told = client.service(CatalogServiceStub).ListPrices(catalog_pb2.ListPricesRequest())
    return [heard.price(each) for each in told.prices]


def keys(home: str, token: str, workspace: str = "") -> list[said.Key]:
    """The workspace's own, masked; empty: the asker's workspace."""
    with asking(home, token) as client:
        told = client.service(KeyServiceStub).ListKeys(keys_pb2.ListKeysRequest(workspace_id=workspace))
    return [heard.key(each) for each in told.keys]


def aliases(home: str, token: str, workspace: str = "") -> list[said.Alias]:
    """All that calls of the workspace can name, by name."""
    with asking(home, token) as client:
        told = client.service(AliasServiceStub).ListAliases(aliases_pb2.ListAliasesRequest(workspace_id=workspace))
    return [heard.alias(each) for each in told.aliases if not each.deleted]


def budgets(home: str, token: str, workspaces: tuple[str, ...] = ("",)) -> list[said.Budget]:
    """The workspaces', as they stand now; "": the asker's own."""
    with asking(home, token) as client:
        service = client.service(BudgetServiceStub)
        asked = (budgets_pb2.GetBudgetStatusRequest(workspace_id=each) for each in workspaces)
        return [heard.budget(each) for request in asked for each in service.GetBudgetStatus(request).statuses]


def who_am_i(home: str, token: str) -> Viewer | None:
    """Whose token it is, and what they may see; None: nobody's, or not any more. Raises NoSidecar.

    To be asked with a token only: without one the socket's owner would answer."""
    if not token.strip():
        return None
    try:
        with asking(home, token) as client:
            told = client.service(TokenServiceStub).WhoAmI(workspaces_pb2.WhoAmIRequest())
    except (NotAllowed, ValueError):
        return None
    return heard.viewer(told, token) if told.caller else None

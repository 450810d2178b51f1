"""What the running sidecar says, asked over this home's socket and with the viewer's own token: it decides what they
may see. Without a token it takes the asker for whoever owns the socket, so pages name the viewer's workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards import heard, said
from taximeter import Client
from taximeter.errors import SidecarUnavailable, TaximeterError
from taximeter.v1 import aliases_pb2, budgets_pb2, catalog_pb2, keys_pb2
from taximeter.v1.aliases_pb2_grpc import AliasServiceStub
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from taximeter.v1.catalog_pb2_grpc import CatalogServiceStub
from taximeter.v1.keys_pb2_grpc import KeyServiceStub

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


def budgets(home: str, token: str, workspace: str = "") -> list[said.Budget]:
    """The workspace's, as they stand now."""
    with asking(home, token) as client:
        asked = budgets_pb2.GetBudgetStatusRequest(workspace_id=workspace)
        told = client.service(BudgetServiceStub).GetBudgetStatus(asked)
    return [heard.budget(each) for each in told.statuses]

"""The services of workspaces and tokens over a real control store, asked over a unix socket and loopback TCP."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.periods_service import BillingService
from sidecar.bookkeeper.server import start as serve
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.control.query import AuditQuery
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, AliasVersion, AuditEntry
from sidecar.edge import billing, tokens, usage, workspaces
from sidecar.edge.auth import Callers
from sidecar.edge.gate import Gate
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.plane.plane import ControlPlane
from taximeter import AsyncClient
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.blank import blank
from tests.support.control import open_plane
from tests.support.ledger import batches, record
from tests.support.rig import Notes

OPERATOR = Actor("local", "unix")


def one_alias(workspace: str, now_ns: int, created_by: str) -> list[AliasVersion]:
    return [AliasVersion(workspace, "default-writer", 1, {"name": "default-writer"}, now_ns, created_by, "default")]


@dataclass
class Ahead:
    """How far the sidecar's clock is ahead of the machine's."""

    ns: int = 0


@dataclass
class Tenants:
    plane: ControlPlane
    folder: Path
    socket: str
    address: str
    """Loopback TCP, where callers without a token are members."""
    stack: AsyncExitStack
    ahead: Ahead
    gate: Gate

    async def client(self, token: str = "", *, tcp: bool = False) -> AsyncClient:
        """Without a token and not by TCP: the operator."""
        where = self.address if tcp or token else self.socket
        return await self.stack.enter_async_context(AsyncClient(where, token=token, timeout=20))

    async def tokens(self, token: str = "", *, tcp: bool = False) -> Any:
        return (await self.client(token, tcp=tcp)).service(TokenServiceStub)

    async def workspaces(self, token: str = "", *, tcp: bool = False) -> Any:
        return (await self.client(token, tcp=tcp)).service(WorkspaceServiceStub)

    async def workspace(self, name: str, **more: Any) -> pb.Workspace:
        made = await (await self.workspaces()).CreateWorkspace(pb.CreateWorkspaceRequest(workspace_id=name, **more))
        told: pb.Workspace = made.workspace
        return told

    async def token(self, workspace: str, role: str = "member", **more: Any) -> str:
        """Made by the operator."""
        request = pb.CreateTokenRequest(
            workspace_id=workspace, name=f"{workspace} {role}", role=pb.CallerRole.Value(f"CALLER_ROLE_{role.upper()}"),
            **more,
        )  # fmt: skip
        made = await (await self.tokens()).CreateToken(request)
        return str(made.secret)

    async def audit(self, action: str) -> list[AuditEntry]:
        return list(await self.plane.ask(lambda store: store.audit(AuditQuery(action=action))))


@asynccontextmanager
async def tenants() -> AsyncIterator[Tenants]:
    """Serving until left. There is no bookkeeper, unless a test starts one at `folder`/bookkeeper.sock."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ahead, gate = Ahead(), Gate(100)
        clock = Clock(wall_ns=lambda: Clock().wall_ns() + ahead.ns)
        plane = await stack.enter_async_context(open_plane(folder, clock=clock))
        relay = usage.UsageRelay(folder / "bookkeeper.sock")
        stack.push_async_callback(relay.close)
        border = Border(Callers(lambda: plane.control, clock), gate, Notes(), 1 << 20)
        server = Server(
            {
                tokens.SERVICE: tokens.TokenService(plane, clock).handlers(border),
                workspaces.SERVICE: workspaces.WorkspaceService(plane, relay, one_alias, clock).handlers(border),
                usage.SERVICE.full_name: relay.handlers(border),
                billing.SERVICE: billing.BillingService(plane, relay).handlers(border),
            },
            1 << 20,
        )
        server.listen_unix(folder / "s.sock", 0o600)
        address = server.listen_tcp("127.0.0.1:0", None, allow_insecure=False)
        made = Tenants(plane, folder, f"unix:{folder / 's.sock'}", address, stack, ahead, gate)
        await server.start()
        stack.push_async_callback(server.stop)
        yield made


@contextmanager
def books(at: Tenants, calls: int = 20) -> Iterator[Ledger]:
    """A bookkeeper's services beside it; every other call is acme's."""
    frames = [journal_pb2.Frame(finished=record(seq)) for seq in range(calls)]
    with closing(Ledger(blank(at.folder / "ledger.duckdb"))) as ledger:
        for batch in batches(frames, []):
            ledger.book(batch)
        asking = Asking(ledger, QueryLimits(timeout_s=20.0, max_rows=100_000))
        services = LedgerService(asking, Progress, lambda: 0), UsageService(asking)
        serving = serve(at.folder / "bookkeeper.sock", *services, BillingService(asking, Progress, Clock()))
        try:
            yield ledger
        finally:
            serving.stop(None).wait()

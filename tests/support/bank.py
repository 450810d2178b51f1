"""BudgetService over a real control store, room and journal, asked over a unix socket; nothing was ever spent there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sidecar.budget import Budgets
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, Budget, DataKey, ProviderKey
from sidecar.edge import budgets, tokens, workspaces
from sidecar.edge.auth import Callers
from sidecar.edge.budgets_subjects import Subjects
from sidecar.edge.budgets_watch import BudgetWatch
from sidecar.edge.gate import Gate
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.edge.usage import UsageRelay
from sidecar.journal import Journal
from sidecar.plane.ledger import LedgerClient
from sidecar.plane.opening import Opening
from sidecar.plane.plane import ControlPlane
from taximeter import AsyncClient
from taximeter.v1 import budgets_pb2 as pb
from taximeter.v1 import workspaces_pb2
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.budget_calls import a_call, an_attempt
from tests.support.control import open_plane
from tests.support.journal import open_journal
from tests.support.rig import Notes

OPERATOR = Actor("local", "unix")
PLATFORM_KEYS = {"env:OPENAI_API_KEY"}
TICK_S = 0.05


@dataclass
class Now:
    """The clock of budgets: UTC, ns."""

    ns: int = 1_768_478_400 * 10**9
    """2026-01-15T12:00:00Z"""


@dataclass
class Bank:
    plane: ControlPlane
    budgets: Budgets
    journal: Journal
    watch: BudgetWatch
    now: Now
    socket: str
    stack: AsyncExitStack

    async def client(self, token: str = "") -> AsyncClient:
        """Without a token: the operator."""
        return await self.stack.enter_async_context(AsyncClient(self.socket, token=token, timeout=20))

    async def ask(self, token: str = "") -> Any:
        return (await self.client(token)).service(BudgetServiceStub)

    async def create(self, token: str = "", /, **budget: Any) -> pb.BudgetStatus:
        """Of the workspace and a month, unless it is said otherwise."""
        asked = {"scope": pb.BUDGET_SCOPE_WORKSPACE, "window": pb.BUDGET_WINDOW_MONTH, "limit_requests": 100} | budget
        made = await (await self.ask(token)).CreateBudget(pb.CreateBudgetRequest(budget=pb.Budget(**asked)))
        status: pb.BudgetStatus = made.status
        return status

    async def token(self, workspace: str, role: str = "admin") -> tuple[str, str]:
        """(id, secret) of a token in a workspace that is made if need be."""
        client = await self.client()
        if workspace not in self.plane.control.workspaces:
            made = workspaces_pb2.CreateWorkspaceRequest(workspace_id=workspace)
            await client.service(WorkspaceServiceStub).CreateWorkspace(made)
        wanted = workspaces_pb2.CallerRole.Value(f"CALLER_ROLE_{role.upper()}")
        asked = workspaces_pb2.CreateTokenRequest(workspace_id=workspace, name=role, role=wanted)
        made_token = await client.service(TokenServiceStub).CreateToken(asked)
        return made_token.token.token_id, made_token.secret

    async def put(self, entity: Budget | DataKey | ProviderKey) -> None:
        await self.plane.change(OPERATOR, lambda change: change.put("test.put", entity))

    def call(self, workspace: str = "default", **told: Any) -> None:
        """One that is over."""
        record = a_call(self.journal.begin(), [an_attempt()], workspace=workspace, budget_ns=self.now.ns, **told)
        self.journal.finished(record).add_done_callback(lambda done: done.exception())
        self.budgets.settle(None, record)


@asynccontextmanager
async def bank() -> AsyncIterator[Bank]:
    """Serving until left. There is no bookkeeper."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    now = Now()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        clock = Clock(wall_ns=lambda: now.ns)
        plane = await stack.enter_async_context(open_plane(folder, clock=clock))
        journal = open_journal(folder / "journal", clock=clock)
        stack.push_async_callback(journal.close)
        room = Budgets(clock)
        room.restore([], complete=True)
        ledger = LedgerClient(folder / "bookkeeper.sock")
        stack.push_async_callback(ledger.close)
        opening = Opening(room, journal, folder / "journal", ledger.budget_spent, Notes(), wait_s=0.2)
        stack.push_async_callback(opening.close)
        plane.follow(opening.follow)
        watch = BudgetWatch(
            partial(budgets.statuses, room), lambda: (journal.position, plane.control.generation), room.now_ns, TICK_S
        )
        subjects = Subjects(lambda: plane.control, lambda _: {"smart", "fast"}, lambda: PLATFORM_KEYS)
        border = Border(Callers(lambda: plane.control, clock), Gate(100), Notes(), 1 << 20)
        relay = UsageRelay(folder / "bookkeeper.sock")
        stack.push_async_callback(relay.close)
        server = Server(
            {
                budgets.SERVICE: budgets.BudgetService(plane, room, opening, watch, subjects).handlers(border),
                tokens.SERVICE: tokens.TokenService(plane, clock).handlers(border),
                workspaces.SERVICE: workspaces.WorkspaceService(plane, relay, lambda *_: [], clock).handlers(border),
            },
            1 << 20,
        )
        server.listen_unix(folder / "s.sock", 0o600)
        await server.start()
        stack.push_async_callback(server.stop)
        yield Bank(plane, room, journal, watch, now, f"unix:{folder / 's.sock'}", stack)

"""One table says who may ask what; an RPC without a row is not served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from sidecar.core.clock import Clock
from sidecar.core.control import Control, Role, Token, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import bearer
from sidecar.edge.access import actor, origin, sees, workspace_of
from sidecar.edge.auth import Callers, Identity, Peer
from sidecar.edge.gate import Gate
from sidecar.edge.roles import ACCESS, Least, check
from sidecar.edge.rpc import Border, Rpc
from sidecar.edge.server import Server
from taximeter import errors
from taximeter.v1 import workspaces_pb2 as pb
from tests.support.rig import Notes
from tests.support.roles_table import DOCS, documented
from tests.support.tenants import Tenants, tenants
from tests.support.walk import methods

SOCKET, ELSEWHERE = Peer("unix:", {}), Peer("ipv4:10.0.0.7:4711", {})
WHO = {
    **{role.value: Identity("acme", "tok", role) for role in Role},
    "operator": Identity("default", "tok", Role.ADMIN),
    "default member": Identity("default", "tok", Role.MEMBER),
}


def rpc(method: str, who: str, peer: str = "unix:") -> Rpc:
    return Rpc(f"taximeter.v1.{method}", WHO[who], {}, None, lambda _done: None, peer)


def test_every_rpc_has_a_row_and_no_row_is_of_nothing() -> None:
    open_ = {name for name, access in ACCESS.items() if access.least is Least.OPEN}
    assert ACCESS.keys() - open_ == methods().keys()
    assert {name.split("/")[0] for name in open_} == {
        "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection",
    }  # fmt: skip


def test_an_rpc_without_a_row_cannot_be_served() -> None:
    async def never(body: bytes, rpc: Rpc) -> bytes:
        return body

    border = Border(None, Gate(1), Notes(), 1)  # type: ignore[arg-type]  # it gets nowhere near it
    with pytest.raises(KeyError):
        border.unary("taximeter.v1.InvocationService/New", never)


@pytest.mark.parametrize(
    ("method", "may"),
    [
        ("InvocationService/Invoke", "member admin operator"),
        ("CatalogService/ListProviders", "viewer member admin auditor operator"),
        ("CatalogService/ProbeProvider", "member admin operator"),
        ("ConfigService/Reload", "operator"),
        ("ModelService/PullLocalModel", "operator"),
        ("UsageService/ExportUsage", "viewer member admin auditor operator"),
        ("WorkspaceService/CreateWorkspace", "operator"),
        ("WorkspaceService/UpdateWorkspace", "admin operator"),
        ("WorkspaceService/ExportWorkspace", "admin auditor operator"),
        ("WorkspaceService/DeleteWorkspace", "operator"),
        ("TokenService/CreateToken", "admin operator"),
        ("TokenService/ListTokens", "admin auditor operator"),
        ("TokenService/WhoAmI", "viewer member admin auditor operator"),
        ("TokenService/BootstrapToken", ""),
        ("KeyService/AddKey", "admin operator"),
        ("KeyService/ListKeys", "viewer member admin auditor operator"),
        ("KeyService/RewrapKeys", "operator"),
        ("AliasService/DeleteAlias", "admin operator"),
        ("BudgetService/CreateBudget", "admin operator"),
        ("PriceService/SetPrice", "operator"),
        ("PriceService/RerateCalls", "operator"),
        ("AuditService/ExportAudit", "admin auditor operator"),
        ("BillingService/ListPeriods", "viewer member admin auditor operator"),
        ("BillingService/ClosePeriod", "auditor operator"),
    ],
)
def test_who_may(method: str, may: str) -> None:
    """Written by hand: what the table must say of these, whatever else it says."""
    access = ACCESS[f"taximeter.v1.{method}"]
    asking = ("viewer", "member", "admin", "auditor", "operator")
    assert [who for who in asking if access.admits(WHO[who], ELSEWHERE)] == may.split()


def test_the_first_token_is_for_the_socket_alone() -> None:
    access = ACCESS["taximeter.v1.TokenService/BootstrapToken"]
    assert {who: access.admits(identity, SOCKET) for who, identity in WHO.items()} == dict.fromkeys(WHO, True)


@pytest.mark.parametrize(
    ("method", "who", "reaches"),
    [
        ("UsageService/QueryUsage", "auditor", True),
        ("UsageService/QueryUsage", "operator", True),
        ("UsageService/QueryUsage", "admin", False),
        ("UsageService/QueryUsage", "default member", False),
        ("AuditService/ListAudit", "auditor", True),
        ("BudgetService/CreateBudget", "operator", True),
        ("BudgetService/CreateBudget", "auditor", False),
        ("TokenService/CreateToken", "operator", True),
        ("TokenService/CreateToken", "admin", False),
        ("InvocationService/Invoke", "operator", False),
        ("KeyService/AddKey", "operator", False),
        ("KeyService/ListKeys", "auditor", True),
    ],
)
def test_who_may_ask_about_another_workspace(method: str, who: str, reaches: bool) -> None:
    asked = rpc(method, who)
    own = WHO[who].workspace
    assert (workspace_of(asked, ""), workspace_of(asked, own)) == (own, own)
    assert (sees(asked, own), sees(asked, "other")) == (True, reaches)
    if reaches:
        assert workspace_of(asked, "other") == "other"
        return
    with pytest.raises(Refusal) as refused:
        workspace_of(asked, "other")
    assert refused.value.reason is RefusalReason.WORKSPACE_MISMATCH


@pytest.mark.parametrize(
    ("method", "who", "said"),
    [
        (
            "ConfigService/Reload", Identity("default", role=Role.MEMBER),
            (
                "Reload is for the operator, an admin of the workspace 'default'; callers without a token have the "
                "role member here: send a token (TAXIMETER_TOKEN), or call over the unix socket."
            ),
        ),
        (
            "InvocationService/Invoke", WHO["viewer"],
            "Invoke needs the role member; this caller has the role viewer in the workspace 'acme'.",
        ),
        (
            "TokenService/BootstrapToken", WHO["operator"],
            (
                "BootstrapToken is answered over the sidecar's unix socket only; this caller has the role admin in the "
                "workspace 'default'."
            ),
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_needed_and_who_one_is(method: str, who: Identity, said: str) -> None:
    name = f"taximeter.v1.{method}"
    with pytest.raises(Refusal) as refused:
        check(name, ACCESS[name], who, ELSEWHERE)
    assert (refused.value.grpc_status, refused.value.reason) == ("PERMISSION_DENIED", RefusalReason.ROLE_REQUIRED)
    assert refused.value.message == said


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("unix:", "unix"),
        ("unix:/run/taximeter.sock", "unix"),
        ("ipv4:10.1.2.3:4711", "ipv4:10.1.2.3"),
        ("ipv6:[fd00::1]:4711", "ipv6:[fd00::1]"),
    ],
)
def test_where_a_change_came_from(peer: str, told: str) -> None:
    assert origin(peer) == told


def test_who_made_a_change() -> None:
    assert actor(rpc("TokenService/CreateToken", "admin", "ipv4:10.1.2.3:1")).name == "tok"
    local = Rpc("x", Identity("default", role=Role.ADMIN), {}, None, lambda _done: None)
    assert (actor(local).name, actor(local).origin) == ("local", "unix")


@pytest.fixture
async def at() -> AsyncIterator[Tenants]:
    async with tenants() as made:
        yield made


async def test_refusals_at_the_door_are_counted(at: Tenants) -> None:
    """They are no calls, so no row tells of them."""
    stub = await at.workspaces(tcp=True)
    with pytest.raises(errors.PermissionDenied):
        await stub.CreateWorkspace(pb.CreateWorkspaceRequest(workspace_id="acme"))
    assert at.gate.unauthenticated == 1


@pytest.mark.parametrize(
    ("method", "ends"),
    [
        pytest.param("taximeter.v1.CatalogService/WatchHealth", True, id="a watch ends"),
        pytest.param("taximeter.v1.InvocationService/InvokeStream", False, id="a call is finished"),
    ],
)
async def test_a_stream_of_somebody_who_may_not_ask_any_more(method: str, ends: bool) -> None:
    made, control, go_on = bearer.make(), [Control()], asyncio.Event()
    token = Token(made.token_id, "acme", "watcher", Role.MEMBER, made.secret_hash)
    control[0] = Control(workspaces={"acme": Workspace("acme")}, tokens={token.token_id: token})

    async def answer(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(b"one")
        await go_on.wait()
        await write(b"two")

    border = Border(Callers(lambda: control[0], Clock()), Gate(1), Notes(), 1 << 20)
    service, _, name = method.partition("/")
    server = Server({service: {name: border.parts(method, answer)}}, 1 << 20)
    address = server.listen_tcp("127.0.0.1:0", None, allow_insecure=False)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        ask: Any = channel.unary_stream(f"/{method}")
        stream = ask(b"", metadata=(("authorization", f"Bearer {made.text}"),))
        assert await stream.read() == b"one"
        control[0] = replace(control[0], tokens={token.token_id: replace(token, revoked_ns=1)})
        go_on.set()
        if ends:
            with pytest.raises(grpc.aio.AioRpcError, match="revoked"):
                await stream.read()
        else:
            assert await stream.read() == b"two"
    await server.stop()


def test_the_page_has_the_same_table() -> None:
    """If not: python -m tests.support.roles_table."""
    assert DOCS.read_text() == documented(DOCS.read_text())

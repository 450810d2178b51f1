"""Every RPC of a real sidecar, asked by every role: the table says who is let in, and nothing foreign comes out."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from sidecar.core.control import Role
from sidecar.edge.auth import Identity, Peer
from sidecar.edge.roles import ACCESS
from taximeter import Client
from taximeter.v1 import budgets_pb2, keys_pb2
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from taximeter.v1.keys_pb2_grpc import KeyServiceStub
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.stack import stack
from tests.support.walk import Said, ask, methods, names_a_workspace, request

RPCS = sorted(methods())
HARMLESS = [name for name in RPCS if not name.endswith("/BootstrapToken")]
IDENTITIES = {
    **{role.value: Identity("acme", "tok", role) for role in Role},
    "operator": Identity("default", "tok", Role.ADMIN),
    "tokenless": Identity("default", role=Role.MEMBER),
}
"""`tokenless`: over loopback TCP."""


@dataclass(frozen=True, slots=True)
class World:
    channel: grpc.Channel
    """Loopback TCP."""
    tokens: dict[str, str]
    ids: dict[str, str]
    """Of things that are beta's."""

    def ask(self, name: str, who: str, workspace: str = "") -> Said:
        return ask(self.channel, name, request(methods()[name], workspace), self.tokens.get(who, ""))

    def by_id(self, name: str, field: str, value: str) -> tuple[str, str, str]:
        """What an admin of acme hears of an id."""
        body: Any = request(methods()[name])
        setattr(body, field, value)
        if name.endswith("/RotateKey"):
            body.api_key = "sk-another-0123456789"
        said = ask(self.channel, name, body, self.tokens["admin"])
        return said.code, said.reason, said.message.replace(value, "...")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Workspaces acme and beta; a token of acme's for each role, one of the operator's, and one that is none."""
    with stack(AI_ENCRYPTION_KEY=secrets.token_hex(32), AI_OPENAI_KEY="sk-of-the-operator") as running:
        running.sidecar()
        running.bookkeeper()
        address = json.loads((running.home / "sidecar.lock").read_text())["address"]
        with Client(running.address, timeout=20) as client:
            tenants, tokens = client.service(WorkspaceServiceStub), client.service(TokenServiceStub)
            for name in ("acme", "beta"):
                tenants.CreateWorkspace(pb.CreateWorkspaceRequest(workspace_id=name))

            def token(workspace: str, role: Role) -> pb.CreateTokenResponse:
                return tokens.CreateToken(
                    pb.CreateTokenRequest(
                        workspace_id=workspace, name=role, role=pb.CallerRole.Value(f"CALLER_ROLE_{role.name}")
                    )
                )

            known = {role.value: token("acme", role).secret for role in Role}
            known |= {"operator": token("default", Role.ADMIN).secret, "nobody": "txm_abcdefghijkl_nothing"}
            beta = token("beta", Role.ADMIN)
            ids = {"token_id": beta.token.token_id}
        with Client(address, token=beta.secret, timeout=20) as client:
            keys, budgets = client.service(KeyServiceStub), client.service(BudgetServiceStub)
            key = keys.AddKey(
                keys_pb2.AddKeyRequest(provider="openai", api_key="sk-of-beta-0123456789", skip_verification=True)
            )
            budget = budgets_pb2.Budget(name="b", scope=budgets_pb2.BUDGET_SCOPE_WORKSPACE, limit_requests=9)
            budget.window = budgets_pb2.BUDGET_WINDOW_DAY
            ids["key_id"] = key.key.key_id
            ids["budget_id"] = budgets.CreateBudget(
                budgets_pb2.CreateBudgetRequest(budget=budget)
            ).status.budget.budget_id
        with grpc.insecure_channel(address) as channel:
            yield World(channel, known, ids)


@pytest.mark.parametrize("who", IDENTITIES)
def test_each_rpc_lets_in_whom_the_table_says(world: World, who: str) -> None:
    identity, peer = IDENTITIES[who], Peer("ipv4:127.0.0.1:1", {})
    wrong = {}
    for name in RPCS:
        said = world.ask(name, who)
        if (said.served, said.let_in) != (True, ACCESS[name].admits(identity, peer)):
            wrong[name] = said
    assert wrong == {}


def test_a_bad_token_is_let_in_nowhere(world: World) -> None:
    assert {world.ask(name, "nobody").code for name in RPCS} == {"UNAUTHENTICATED"}


FOREIGN = [name for name in HARMLESS if names_a_workspace(methods()[name])]


@pytest.mark.parametrize("who", [role.value for role in Role])
def test_no_rpc_tells_of_a_workspace_that_is_not_the_callers(world: World, who: str) -> None:
    """The same, whether there is such a workspace or not."""
    wrong = {}
    for name in FOREIGN:
        if not ACCESS[name].reaches(IDENTITIES[who], "beta"):
            beta, none = world.ask(name, who, "beta"), world.ask(name, who, "nowhere")
            if beta.code == "OK" or (beta.code, beta.reason) != (none.code, none.reason):
                wrong[name] = (beta, none)
    assert wrong == {}
    assert FOREIGN


@pytest.mark.parametrize("who", ["auditor", "operator"])
@pytest.mark.parametrize("read", ["KeyService/ListKeys", "AliasService/ListAliases", "BudgetService/ListBudgets"])
def test_who_sees_all_workspaces_sees_another(world: World, who: str, read: str) -> None:
    assert world.ask(f"taximeter.v1.{read}", who, "beta").code == "OK"


def test_what_belongs_to_another_workspace_is_as_unknown_as_what_never_was(world: World) -> None:
    """By id: an admin of acme meets the same error for beta's as for nothing at all."""
    told = {}
    for name in RPCS:
        for field in methods()[name].input_type.fields_by_name.keys() & world.ids.keys():
            if ACCESS[name].admits(IDENTITIES["admin"], Peer("ipv4:127.0.0.1:1", {})):
                told[name] = [world.by_id(name, field, each) for each in (world.ids[field], f"{field[:3]}_aaaaaaaaaa")]
    assert {name: found for name, found in told.items() if found[0] != found[1] or found[0][0] != "NOT_FOUND"} == {}
    assert {name.partition("/")[2] for name in told} >= {
        "RevokeToken", "UpdateKey", "VerifyKey", "RotateKey", "RevokeKey", "DeleteBudget", "GetBudgetStatus",
    }  # fmt: skip

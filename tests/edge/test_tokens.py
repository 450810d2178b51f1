"""Tokens are shown once, give no more than their maker has, and are refused from the moment they are revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.core.clock import Clock
from sidecar.edge.bearer import taken_apart
from taximeter import errors
from taximeter.v1 import workspaces_pb2 as pb
from tests.support.tenants import Tenants, tenants

S_NS = 10**9


@pytest.fixture
async def at() -> AsyncIterator[Tenants]:
    """With a workspace "acme"."""
    async with tenants() as made:
        await made.workspace("acme")
        yield made


def role(name: str) -> pb.CallerRole.ValueType:
    return pb.CallerRole.Value(f"CALLER_ROLE_{name.upper()}")


def asked(**more: Any) -> pb.CreateTokenRequest:
    return pb.CreateTokenRequest(**{"name": "billing", **more})


def in_s(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds(Clock().wall_ns() + round(seconds * S_NS))
    return stamp


async def test_a_token_is_what_it_was_made_as(at: Tenants) -> None:
    until = in_s(3600)
    made = await (await at.tokens()).CreateToken(asked(workspace_id="acme", role=role("viewer"), expires_at=until))
    assert made.secret.startswith(f"txm_{made.token.token_id}_")
    assert (made.token.name, made.token.created_by) == ("billing", "local")
    who = await (await at.tokens(made.secret)).WhoAmI(pb.WhoAmIRequest())
    assert (who.workspace_id, who.caller, who.role) == ("acme", made.token.token_id, role("viewer"))
    assert who.expires_at == until


async def test_a_role_that_is_not_said_is_member_and_a_workspace_is_ones_own(at: Tenants) -> None:
    admin = await at.tokens(await at.token("acme", "admin"))
    made = await admin.CreateToken(asked())
    assert (made.token.workspace_id, made.token.role) == ("acme", role("member"))


async def test_the_secret_is_nowhere_but_with_its_owner(at: Tenants) -> None:
    secret = await at.token("acme", "admin")
    listed = await (await at.tokens(secret)).ListTokens(pb.ListTokensRequest())
    (entry,) = await at.audit("token.create")
    kept = b"".join(path.read_bytes() for path in at.folder.glob("control.db*"))
    proof = taken_apart(secret)[1]
    assert proof not in f"{listed} {entry} {at.plane.control}"
    assert proof.encode() not in kept
    assert entry.after is not None
    assert "secret_hash" not in entry.after


async def test_who_am_i_of_a_caller_without_a_token(at: Tenants) -> None:
    by_socket = await (await at.tokens()).WhoAmI(pb.WhoAmIRequest())
    by_tcp = await (await at.tokens(tcp=True)).WhoAmI(pb.WhoAmIRequest())
    assert (by_socket.workspace_id, by_socket.caller, by_socket.role) == ("default", "", role("admin"))
    assert (by_tcp.workspace_id, by_tcp.caller, by_tcp.role) == ("default", "", role("member"))


@pytest.mark.parametrize(
    ("maker", "given", "allowed"),
    [
        *(("acme admin", given, True) for given in ("viewer", "member", "admin")),
        ("acme admin", "auditor", False),
        *(("operator", given, True) for given in ("viewer", "member", "admin", "auditor")),
        *((maker, "viewer", False) for maker in ("acme member", "acme viewer", "acme auditor")),
    ],
)
async def test_nobody_gives_more_than_they_have(at: Tenants, maker: str, given: str, allowed: bool) -> None:
    stub = await at.tokens(await at.token(*maker.split()) if maker != "operator" else "")
    if allowed:
        made = await stub.CreateToken(asked(role=role(given)))
        assert made.token.role == role(given)
        return
    with pytest.raises(errors.PermissionDenied) as refused:
        await stub.CreateToken(asked(role=role(given)))
    assert refused.value.reason == "ROLE_REQUIRED"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        pytest.param(asked(name=""), "name", id="no name"),
        pytest.param(asked(name=" \t "), "name", id="a blank name"),
        pytest.param(asked(name="x" * 129), "name", id="a long name"),
        pytest.param(asked(name="a\nb"), "name", id="a name of two lines"),
        pytest.param(asked(role=99), "role", id="a role of the future"),
        pytest.param(asked(expires_at=in_s(-1)), "expires_at", id="expired already"),
    ],
)
async def test_what_is_wrong_is_named(at: Tenants, request_: pb.CreateTokenRequest, field: str) -> None:
    with pytest.raises(errors.InvalidRequest) as refused:
        await (await at.tokens()).CreateToken(request_)
    assert [where for where, _ in refused.value.violations] == [field]


async def test_a_token_for_a_workspace_that_is_not_there(at: Tenants) -> None:
    with pytest.raises(errors.NotFound, match="There is no workspace 'nobody'"):
        await (await at.tokens()).CreateToken(asked(workspace_id="nobody"))


async def test_a_revoked_token_is_refused_at_once_and_the_revocation_is_audited(at: Tenants) -> None:
    secret = await at.token("acme")
    caller = await at.tokens(secret)
    token_id = (await caller.WhoAmI(pb.WhoAmIRequest())).caller
    done = await (await at.tokens()).RevokeToken(pb.RevokeTokenRequest(token_id=token_id))
    assert done.token.HasField("revoked_at")
    with pytest.raises(errors.Unauthenticated, match="was revoked"):
        await caller.WhoAmI(pb.WhoAmIRequest())
    again = await (await at.tokens()).RevokeToken(pb.RevokeTokenRequest(token_id=token_id))
    assert again == done
    (entry,) = await at.audit("token.revoke")
    assert (entry.subject, entry.workspace, entry.actor, entry.origin) == (token_id, "acme", "local", "unix")


async def test_a_token_expires(at: Tenants) -> None:
    caller = await at.tokens(await at.token("acme", expires_at=in_s(60)))
    await caller.WhoAmI(pb.WhoAmIRequest())
    at.ahead.ns = 61 * S_NS
    with pytest.raises(errors.Unauthenticated, match="has expired"):
        await caller.WhoAmI(pb.WhoAmIRequest())


async def test_the_tokens_of_a_workspace_are_listed_in_their_order(at: Tenants) -> None:
    for name in ("viewer", "member", "auditor"):
        await at.token("acme", name)
    admin = await at.tokens(await at.token("acme", "admin"))
    await at.token("default")
    listed = (await admin.ListTokens(pb.ListTokensRequest())).tokens
    assert [token.name for token in listed] == [f"acme {name}" for name in ("viewer", "member", "auditor", "admin")]
    await admin.RevokeToken(pb.RevokeTokenRequest(token_id=listed[0].token_id))
    assert next(iter((await admin.ListTokens(pb.ListTokensRequest())).tokens)).name == "acme member"
    everything = await admin.ListTokens(pb.ListTokensRequest(include_revoked=True))
    assert [token.HasField("revoked_at") for token in everything.tokens] == [True, False, False, False]


@pytest.mark.parametrize("method", ["CreateToken", "ListTokens"])
async def test_another_workspace_is_none_of_an_admins_business(at: Tenants, method: str) -> None:
    """The same, whether there is such a workspace or not."""
    admin = await at.tokens(await at.token("acme", "admin"))
    for workspace in ("default", "nobody"):
        request = asked() if method == "CreateToken" else pb.ListTokensRequest()
        request.workspace_id = workspace
        with pytest.raises(errors.PermissionDenied) as refused:
            await getattr(admin, method)(request)
        assert refused.value.reason == "WORKSPACE_MISMATCH"


async def test_a_foreign_token_is_as_unknown_as_one_that_never_was(at: Tenants) -> None:
    admin = await at.tokens(await at.token("acme", "admin"))
    foreign = (await at.token("default")).split("_")[1]
    told = []
    for token_id in (foreign, "aaaaaaaaaaaa"):
        with pytest.raises(errors.NotFound) as refused:
            await admin.RevokeToken(pb.RevokeTokenRequest(token_id=token_id))
        told.append((refused.value.reason, refused.value.message.replace(token_id, "...")))
    assert told[0] == told[1]


async def test_bootstrap_makes_the_first_administrator_once(at: Tenants) -> None:
    made = await (await at.tokens()).BootstrapToken(pb.BootstrapTokenRequest())
    assert (made.token.name, made.token.workspace_id, made.token.role) == ("bootstrap", "default", role("admin"))
    who = await (await at.tokens(made.secret)).WhoAmI(pb.WhoAmIRequest())
    assert (who.workspace_id, who.role) == ("default", role("admin"))
    with pytest.raises(errors.Conflict, match="already"):
        await (await at.tokens()).BootstrapToken(pb.BootstrapTokenRequest())


async def test_of_many_that_bootstrap_at_once_one_does(at: Tenants) -> None:
    stub = await at.tokens()
    done = await asyncio.gather(
        *(stub.BootstrapToken(pb.BootstrapTokenRequest(name=f"n{number}")) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, BaseException) for each in done) == 1


@pytest.mark.parametrize("lost", ["revoked", "expired"])
async def test_bootstrap_again_when_no_administrator_is_left(at: Tenants, lost: str) -> None:
    stub = await at.tokens()
    if lost == "revoked":
        made = await stub.BootstrapToken(pb.BootstrapTokenRequest())
        await stub.RevokeToken(pb.RevokeTokenRequest(token_id=made.token.token_id))
    else:
        await at.token("default", "admin", expires_at=in_s(60))
        at.ahead.ns = 61 * S_NS
    await stub.BootstrapToken(pb.BootstrapTokenRequest(name="again"))


async def test_bootstrap_is_not_in_the_way_of_other_workspaces_admins(at: Tenants) -> None:
    await at.token("acme", "admin")
    await at.token("default", "member")
    await (await at.tokens()).BootstrapToken(pb.BootstrapTokenRequest())


async def test_bootstrap_is_for_the_machines_own_socket(at: Tenants) -> None:
    operator = await at.token("default", "admin")
    for stub in (await at.tokens(tcp=True), await at.tokens(operator)):
        with pytest.raises(errors.PermissionDenied, match="unix socket"):
            await stub.BootstrapToken(pb.BootstrapTokenRequest())


async def test_a_token_is_no_way_into_an_archived_workspace(at: Tenants) -> None:
    caller = await at.tokens(await at.token("acme"))
    await (await at.workspaces()).ArchiveWorkspace(pb.ArchiveWorkspaceRequest(workspace_id="acme"))
    with pytest.raises(errors.Unauthenticated, match="'acme' is archived"):
        await caller.WhoAmI(pb.WhoAmIRequest())
    with pytest.raises(errors.NotFound, match="archived"):
        await at.token("acme")

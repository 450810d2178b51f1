"""Workspaces: made with what they need, changed by whom it is theirs to change, archived at once, deleted for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from sidecar.core.control import DataKey, PlatformKeys, ProviderKey
from sidecar.edge.bearer import taken_apart
from sidecar.edge.usage import ACROSS_KEY, WORKSPACE_KEY
from taximeter import errors
from taximeter.v1 import usage_pb2
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.usage_pb2_grpc import UsageServiceStub
from tests.support.ledger import T0_NS, rows
from tests.support.tenants import OPERATOR, Tenants, books, tenants

NEVER, FALLBACK, ALWAYS = pb.PLATFORM_KEYS_NEVER, pb.PLATFORM_KEYS_FALLBACK, pb.PLATFORM_KEYS_ALWAYS
SEALED = b"sealed-secret-bytes"


@pytest.fixture
async def at() -> AsyncIterator[Tenants]:
    async with tenants() as made:
        yield made


async def names(stub: Any, **more: Any) -> list[str]:
    return [each.workspace_id for each in (await stub.ListWorkspaces(pb.ListWorkspacesRequest(**more))).workspaces]


async def archive(at: Tenants, name: str, *, restore: bool = False) -> pb.Workspace:
    done = await (await at.workspaces()).ArchiveWorkspace(
        pb.ArchiveWorkspaceRequest(workspace_id=name, restore=restore)
    )
    told: pb.Workspace = done.workspace
    return told


async def delete(at: Tenants, name: str, confirm: str | None = None) -> pb.DeleteWorkspaceResponse:
    request = pb.DeleteWorkspaceRequest(workspace_id=name, confirm_workspace_id=name if confirm is None else confirm)
    done: pb.DeleteWorkspaceResponse = await (await at.workspaces()).DeleteWorkspace(request)
    return done


async def test_a_new_workspace_is_what_was_asked_and_has_aliases(at: Tenants) -> None:
    made = await at.workspace("acme", display_name="Acme, Inc.", platform_keys=FALLBACK, zero_retention=True)
    assert (made.display_name, made.platform_keys, made.zero_retention) == ("Acme, Inc.", FALLBACK, True)
    assert made.HasField("created_at")
    assert list(at.plane.control.aliases) == [("acme", "default-writer")]
    assert [entry.action for entry in await at.audit("")] == ["alias.create", "workspace.create"]


async def test_unless_it_is_said_the_operators_keys_do_not_serve_it(at: Tenants) -> None:
    assert (await at.workspace("acme")).platform_keys == NEVER


@pytest.mark.parametrize("name", ["a", "7", "a-b_c", "0" * 63])
async def test_good_names(at: Tenants, name: str) -> None:
    assert (await at.workspace(name)).workspace_id == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a b", "a.b", "ä", "a\n", "*", "0" * 64, "٣"])
async def test_bad_names(at: Tenants, name: str) -> None:
    with pytest.raises(errors.InvalidRequest) as refused:
        await at.workspace(name)
    assert [where for where, _ in refused.value.violations] == ["workspace_id"]


@pytest.mark.parametrize("name", ["default", "acme", "gone"])
async def test_a_name_is_given_once(at: Tenants, name: str) -> None:
    await at.workspace("acme")
    await at.workspace("gone")
    await archive(at, "gone")
    with pytest.raises(errors.Conflict, match=f"There is a workspace '{name}' already"):
        await at.workspace(name)


async def test_who_sees_which(at: Tenants) -> None:
    for name in ("acme", "beta", "gone"):
        await at.workspace(name)
    await archive(at, "gone")
    callers = {
        who: await at.workspaces(await at.token(*who.split()))
        for who in ("acme admin", "beta viewer", "acme auditor", "default member", "default admin")
    }
    everything = ["acme", "beta", "default"]
    assert {who: await names(stub) for who, stub in callers.items()} == {
        "acme admin": ["acme"],
        "beta viewer": ["beta"],
        "acme auditor": everything,
        "default member": ["default"],
        "default admin": everything,
    }
    assert await names(callers["default admin"], include_archived=True) == [*everything, "gone"]


async def test_an_admin_changes_their_own(at: Tenants) -> None:
    await at.workspace("acme", display_name="Acme", zero_retention=False)
    admin = await at.workspaces(await at.token("acme", "admin"))
    done = await admin.UpdateWorkspace(pb.UpdateWorkspaceRequest(zero_retention=True))
    assert (done.workspace.display_name, done.workspace.zero_retention) == ("Acme", True)
    done = await admin.UpdateWorkspace(pb.UpdateWorkspaceRequest(workspace_id="acme", display_name=""))
    assert (done.workspace.display_name, done.workspace.zero_retention) == ("", True)
    (latest, *_) = await at.audit("workspace.update")
    assert (latest.before or {})["display_name"] == "Acme"
    assert (latest.after or {})["display_name"] == ""


async def test_whose_keys_pay_is_for_the_operator_to_say(at: Tenants) -> None:
    await at.workspace("acme")
    admin = await at.workspaces(await at.token("acme", "admin"))
    with pytest.raises(errors.PermissionDenied) as refused:
        await admin.UpdateWorkspace(pb.UpdateWorkspaceRequest(platform_keys=ALWAYS))
    assert refused.value.reason == "ROLE_REQUIRED"
    operator = await at.workspaces()
    done = await operator.UpdateWorkspace(pb.UpdateWorkspaceRequest(workspace_id="acme", platform_keys=ALWAYS))
    assert done.workspace.platform_keys == ALWAYS
    assert at.plane.control.workspaces["acme"].platform_keys is PlatformKeys.ALWAYS


async def test_the_default_workspace_keeps_the_operators_keys(at: Tenants) -> None:
    with pytest.raises(errors.InvalidRequest, match="always"):
        await (await at.workspaces()).UpdateWorkspace(pb.UpdateWorkspaceRequest(platform_keys=NEVER))


async def test_what_changes_nothing_leaves_no_trace(at: Tenants) -> None:
    await at.workspace("acme", display_name="Acme")
    await (await at.workspaces()).UpdateWorkspace(pb.UpdateWorkspaceRequest(workspace_id="acme", display_name=" Acme "))
    assert await at.audit("workspace.update") == []


async def test_another_workspace_cannot_be_changed(at: Tenants) -> None:
    await at.workspace("acme")
    await at.workspace("beta")
    admin = await at.workspaces(await at.token("acme", "admin"))
    for name in ("beta", "nobody"):
        with pytest.raises(errors.PermissionDenied) as refused:
            await admin.UpdateWorkspace(pb.UpdateWorkspaceRequest(workspace_id=name, display_name="mine"))
        assert refused.value.reason == "WORKSPACE_MISMATCH"


async def test_archived_and_restored(at: Tenants) -> None:
    await at.workspace("acme")
    caller = await at.workspaces(await at.token("acme"))
    first = await archive(at, "acme")
    assert first.HasField("archived_at")
    assert await archive(at, "acme") == first
    with pytest.raises(errors.Unauthenticated, match="archived"):
        await names(caller)
    assert not (await archive(at, "acme", restore=True)).HasField("archived_at")
    assert await names(caller) == ["acme"]
    assert [entry.action for entry in await at.audit("workspace")][:2] == ["workspace.restore", "workspace.archive"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("default", "TaximeterError", "cannot be archived"),
        ("nobody", "NotFound", "no workspace"),
        ("", "InvalidRequest", "required"),
    ],
)
async def test_what_cannot_be_archived(at: Tenants, name: str, error: str, words: str) -> None:
    with pytest.raises(getattr(errors, error), match=words):
        await archive(at, name)


async def with_all_kinds(at: Tenants) -> str:
    """acme with a token, a key, and what else it may have; returns the token."""
    await at.workspace("acme")
    secret = await at.token("acme", "admin")
    await at.plane.change(OPERATOR, lambda change: change.put("datakey.create", DataKey("d1", "acme", "k", SEALED)))
    key = ProviderKey("key_1", "acme", "openai", "main", "sk-...wxyz", "d1", SEALED)
    await at.plane.change(OPERATOR, lambda change: change.put("key.add", key))
    return secret


async def exported(at: Tenants, name: str = "acme", token: str = "") -> bytes:
    stub = await at.workspaces(token)
    return b"".join([part.data async for part in stub.ExportWorkspace(pb.ExportWorkspaceRequest(workspace_id=name))])


async def test_an_export_has_all_of_it_and_no_secret(at: Tenants) -> None:
    secret = await with_all_kinds(at)
    await at.workspace("beta")
    with books(at):
        data = await exported(at, token=secret)
    lines = [json.loads(line) for line in data.splitlines()]
    kinds = [next(iter(line)) for line in lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "workspace": 1, "token": 1, "key": 1, "alias": 1, "audit": 6, "call": 10,
    }  # fmt: skip
    assert all(len(line) == 1 for line in lines)
    assert {line["call"]["workspace"] for line in lines if "call" in line} == {"acme"}
    assert next(line["key"] for line in lines if "key" in line)["masked"] == "sk-...wxyz"
    assert taken_apart(secret)[1].encode() not in data
    assert b"sealed" not in data
    assert b"beta" not in data


async def test_an_export_is_audited(at: Tenants) -> None:
    await at.workspace("acme")
    with books(at):
        await exported(at)
    (entry,) = await at.audit("workspace.export")
    assert (entry.workspace, entry.actor) == ("acme", "local")


async def test_an_export_without_its_calls_is_no_success(at: Tenants) -> None:
    await at.workspace("acme")
    with pytest.raises(errors.LedgerUnavailable):
        await exported(at)


@pytest.mark.parametrize("who", ["acme viewer", "acme member", "beta admin"])
async def test_an_export_is_not_for_everybody(at: Tenants, who: str) -> None:
    await at.workspace("acme")
    await at.workspace("beta")
    with pytest.raises(errors.PermissionDenied):
        await exported(at, token=await at.token(*who.split()))


@pytest.mark.parametrize("who", ["beta auditor", "default admin"])
async def test_an_auditor_and_the_operator_export_any(at: Tenants, who: str) -> None:
    await at.workspace("acme")
    await at.workspace("beta")
    with books(at):
        assert b'{"call"' in await exported(at, token=await at.token(*who.split()))


async def test_deleted_for_good_and_nothing_of_the_others(at: Tenants) -> None:
    secret = await with_all_kinds(at)
    await archive(at, "acme")
    with books(at) as ledger:
        done = await delete(at, "acme")
        assert (done.deleted_calls, done.deleted_keys) == (10, 1)
        assert rows(ledger, "SELECT workspace, count(*) FROM calls GROUP BY ALL") == [("default", 10)]
    control = at.plane.control
    assert list(control.workspaces) == ["default"]
    assert not control.keys
    assert not control.data_keys
    assert not control.aliases
    with pytest.raises(errors.Unauthenticated, match="not valid"):
        await names(await at.workspaces(secret))
    (entry,) = await at.audit("workspace.delete")
    assert (entry.workspace, entry.actor) == ("acme", "local")


async def test_a_name_that_was_deleted_can_be_given_anew(at: Tenants) -> None:
    await at.workspace("acme")
    await archive(at, "acme")
    with books(at, calls=0):
        await delete(at, "acme")
    assert (await at.workspace("acme")).workspace_id == "acme"


@pytest.mark.parametrize(
    ("name", "confirm", "error", "words"),
    [
        pytest.param("acme", None, "TaximeterError", "archive acme", id="in use"),
        pytest.param("gone", "acme", "InvalidRequest", "confirm_workspace_id", id="another one confirmed"),
        pytest.param("gone", "", "InvalidRequest", "confirm_workspace_id", id="not confirmed"),
        pytest.param("default", None, "TaximeterError", "in use", id="default"),
        pytest.param("nobody", None, "NotFound", "no workspace", id="unknown"),
        pytest.param("", None, "InvalidRequest", "required", id="not named"),
    ],
)
async def test_what_is_not_deleted(at: Tenants, name: str, confirm: str | None, error: str, words: str) -> None:
    for each in ("acme", "gone"):
        await at.workspace(each)
    await archive(at, "gone")
    with books(at, calls=4) as ledger, pytest.raises(getattr(errors, error), match=words):
        await delete(at, name, confirm)
    assert set(at.plane.control.workspaces) == {"default", "acme", "gone"}
    assert ledger is not None


async def test_as_long_as_its_calls_are_there_so_is_the_workspace(at: Tenants) -> None:
    """No bookkeeper answers: it can be deleted again, when one does."""
    await at.workspace("acme")
    await archive(at, "acme")
    with pytest.raises(errors.LedgerUnavailable):
        await delete(at, "acme")
    assert at.plane.control.workspaces["acme"].archived_ns
    with books(at):
        async with asyncio.timeout(20):
            while at.plane.control.workspaces.keys() != {"default"}:
                with suppress(errors.LedgerUnavailable):  # until it is found to be back
                    assert (await delete(at, "acme")).deleted_calls == 10


PERIOD = usage_pb2.Period()
PERIOD.start.FromNanoseconds(T0_NS - 10**9)
PERIOD.end.FromNanoseconds(T0_NS + 1000 * 10**9)
OWN_ACME, OWN_DEFAULT, BOTH = {"acme": 10}, {"default": 10}, {"acme": 10, "default": 10}


@pytest.mark.parametrize(
    ("who", "workspace", "seen"),
    [
        ("acme viewer", "", OWN_ACME),
        ("acme viewer", "acme", OWN_ACME),
        ("acme admin", "default", None),
        ("acme admin", "*", None),
        ("default member", "", OWN_DEFAULT),
        ("default member", "*", None),
        ("acme auditor", "", OWN_ACME),
        ("acme auditor", "default", OWN_DEFAULT),
        ("acme auditor", "*", BOTH),
        ("default admin", "", OWN_DEFAULT),
        ("default admin", "acme", OWN_ACME),
        ("default admin", "*", BOTH),
    ],
)
async def test_whose_usage_is_told(at: Tenants, who: str, workspace: str, seen: dict[str, int] | None) -> None:
    await at.workspace("acme")
    stub = (await at.client(await at.token(*who.split()))).service(UsageServiceStub)
    request = usage_pb2.QueryUsageRequest(
        period=PERIOD, group_by=[usage_pb2.USAGE_DIMENSION_WORKSPACE],
        filters={"workspace": workspace} if workspace else {},
    )  # fmt: skip
    export = usage_pb2.ExportUsageRequest(
        period=PERIOD, filters=dict(request.filters), format=usage_pb2.EXPORT_FORMAT_JSON_LINES
    )
    with books(at):
        if seen is None:
            with pytest.raises(errors.PermissionDenied):
                await stub.QueryUsage(request)
            with pytest.raises(errors.PermissionDenied):
                [part async for part in stub.ExportUsage(export)]
            return
        found = await stub.QueryUsage(request)
        data = b"".join([part.data async for part in stub.ExportUsage(export)])
    assert {row.group["workspace"]: row.calls for row in found.rows} == seen
    assert len(data.splitlines()) == sum(seen.values())


@pytest.mark.parametrize(
    ("who", "foreign"),
    [("acme admin", False), ("default member", True), ("acme auditor", True), ("default admin", True)],
)
async def test_a_foreign_call_is_as_unknown_as_one_that_never_was(at: Tenants, who: str, foreign: bool) -> None:
    """Call 0 is the default workspace's."""
    await at.workspace("acme")
    stub = (await at.client(await at.token(*who.split()))).service(UsageServiceStub)
    with books(at):
        for number, there in ((0, foreign), (99, False)):
            request = usage_pb2.GetCallRequest(call_id=f"01JCALL{number:019d}")
            if there:
                assert (await stub.GetCall(request)).workspace == "default"
            else:
                with pytest.raises(errors.CallNotFound):
                    await stub.GetCall(request)


@pytest.mark.parametrize("header", [WORKSPACE_KEY, ACROSS_KEY])
async def test_nobody_says_of_themselves_whom_they_see(at: Tenants, header: str) -> None:
    """What the sidecar tells the bookkeeper comes from the token; what a caller writes there is not passed on."""
    import grpc

    await at.workspace("acme")
    token = await at.token("acme", "admin")
    metadata = (("authorization", f"Bearer {token}"), (header, "default"))
    async with grpc.aio.insecure_channel(at.address) as channel:
        stub: Any = UsageServiceStub(channel)
        with books(at), pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.QueryUsage(
                usage_pb2.QueryUsageRequest(period=PERIOD, filters={"workspace": "default"}), metadata=metadata
            )
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

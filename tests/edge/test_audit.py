"""AuditService: pages for people, lines for a SIEM, and for nobody what belongs to another workspace."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from sidecar.control.change import Change
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, Budget, BudgetScope, Workspace
from sidecar.edge import audit
from sidecar.edge.gate import Gate
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.plane.plane import ControlPlane
from taximeter import errors
from taximeter.v1 import audit_pb2 as pb
from taximeter.v1 import audit_pb2_grpc
from tests.support.control import sqlite_url
from tests.support.keys import ByMetadata
from tests.support.rig import Notes

param = pytest.param
ANNA, BOB = Actor("tok-anna", "unix"), Actor("tok-bob", "ipv4:10.0.0.1")
SECOND = 10**9
BUDGET = Budget("b", "acme", "all", BudgetScope.WORKSPACE, limit_picodollars=10**25, limit_requests=5)
Told = list[dict[str, Any]]


@dataclass
class Stage:
    plane: ControlPlane
    stub: Any

    async def listed(self, caller: str = "default/admin", **asked: Any) -> pb.ListAuditResponse:
        answer: pb.ListAuditResponse = await self.stub.ListAudit(pb.ListAuditRequest(**asked), metadata=_told(caller))
        return answer

    def export(self, caller: str = "default/admin", **asked: Any) -> Any:
        return self.stub.ExportAudit(pb.ExportAuditRequest(**asked), metadata=_told(caller))

    async def lines(self, caller: str = "default/admin", **asked: Any) -> Told:
        return [each async for part in self.export(caller, **asked) for each in _parsed(part)]

    async def put(self, name: str, actor: Actor = ANNA) -> None:
        await self.plane.change(actor, lambda change: change.put("workspace.create", Workspace(name)))


def _told(caller: str) -> Sequence[tuple[str, str]]:
    workspace, _, role = caller.partition("/")
    return (("workspace", workspace), ("role", role))


def _parsed(part: pb.ExportAuditResponse) -> Told:
    assert part.data.endswith(b"\n")
    return [json.loads(line) for line in part.data.splitlines()]


@pytest.fixture
async def at() -> AsyncIterator[Stage]:
    """Six entries, of 2 s to 5 s: acme and its budget, twice changed by Bob; then beta and gamma by Anna."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    times = iter(range(SECOND, 10**6 * SECOND, SECOND))
    clock = Clock(wall_ns=lambda: next(times))
    plane = ControlPlane(lambda: ControlStore(sqlite_url(folder), clock), clock, Notes())
    await plane.open()
    border = Border(ByMetadata(), Gate(100), Notes(), 1 << 20)
    server = Server({audit.SERVICE: audit.AuditService(plane).handlers(border)}, 1 << 20)
    server.listen_unix(folder / "a.sock", 0o600)
    await server.start()
    try:
        for step in _STEPS:
            await plane.change(*step)
        async with grpc.aio.insecure_channel(f"unix:{folder / 'a.sock'}") as channel:
            yield Stage(plane, audit_pb2_grpc.AuditServiceStub(channel))
    finally:
        await server.stop()
        await plane.close()
        shutil.rmtree(folder)


def _acme(change: Change) -> None:
    change.put("workspace.create", Workspace("acme"))
    change.put("budget.create", BUDGET)


_STEPS: Sequence[tuple[Actor, Callable[[Change], None]]] = (
    (BOB, _acme),
    (BOB, lambda change: change.put("budget.update", Budget("b", "acme", "all", BudgetScope.WORKSPACE))),
    (BOB, lambda change: change.remove("budget.delete", BUDGET)),
    (ANNA, lambda change: change.put("workspace.create", Workspace("beta"))),
    (ANNA, lambda change: change.put("workspace.create", Workspace("gamma"))),
)
ASKED: list[Any] = [
    param({}, "654321", id="all, the newest first"),
    param({"page_size": 2}, "65", id="a page"),
    param({"page_size": 2, "page_token": "5"}, "43", id="the next"),
    param({"action": "budget"}, "432", id="all done to budgets"),
    param({"action": "budget.update"}, "3", id="action"),
    param({"actor": "tok-bob"}, "4321", id="actor"),
    param({"subject": "b"}, "432", id="subject"),
    param({"workspace_id": "beta"}, "5", id="workspace"),
    param({"period": {"start": {"seconds": 4}}}, "654", id="since"),
    param({"period": {"end": {"seconds": 3}}}, "21", id="until"),
]


@pytest.mark.parametrize(("asked", "expected"), ASKED)
async def test_what_is_asked_is_answered(at: Stage, asked: dict[str, Any], expected: str) -> None:
    answer = await at.listed(**asked)
    assert "".join(str(entry.sequence) for entry in answer.entries) == expected


async def test_pages_lead_through_all(at: Stage) -> None:
    seen: list[int] = []
    token = ""
    while not seen or token:
        answer = await at.listed(page_size=4, page_token=token)
        seen += [entry.sequence for entry in answer.entries]
        token = answer.next_page_token
    assert seen == [6, 5, 4, 3, 2, 1]


async def test_an_entry_says_who_what_before_and_after(at: Stage) -> None:
    (entry,) = (await at.listed(action="budget.update")).entries
    told = MessageToDict(entry, preserving_proto_field_name=True)
    before, after = told.pop("before"), told.pop("after")
    assert told == {
        "sequence": "3",
        "at": "1970-01-01T00:00:03Z",
        "workspace_id": "acme",
        "actor": "tok-bob",
        "action": "budget.update",
        "subject": "b",
        "origin": "ipv4:10.0.0.1",
    }
    assert (before["limit_picodollars"], before["limit_requests"], before["shrink"]) == (str(10**25), 5.0, True)
    assert (after["limit_picodollars"], after["limit_requests"]) == (None, None)


async def test_what_was_not_there_has_no_before(at: Stage) -> None:
    (created,) = (await at.listed(action="budget.create")).entries
    (deleted,) = (await at.listed(action="budget.delete")).entries
    assert (created.HasField("before"), created.HasField("after")) == (False, True)
    assert (deleted.HasField("before"), deleted.HasField("after")) == (True, False)


SEEN: list[Any] = [
    param("default/admin", "", "123456", id="the operator, all"),
    param("default/auditor", "", "123456", id="an auditor of the default workspace, all"),
    param("acme/auditor", "", "123456", id="an auditor of another, all"),
    param("acme/admin", "", "1234", id="an admin, their own"),
    param("acme/admin", "acme", "1234", id="an admin by name"),
    param("acme/auditor", "beta", "5", id="an auditor, one of them"),
    param("beta/admin", "", "5", id="another admin"),
]


@pytest.mark.parametrize(("caller", "asked", "expected"), SEEN)
async def test_who_sees_what(at: Stage, caller: str, asked: str, expected: str) -> None:
    entries = (await at.listed(caller, workspace_id=asked)).entries
    assert "".join(str(entry.sequence) for entry in reversed(entries)) == expected
    assert "".join(str(told["sequence"]) for told in await at.lines(caller, workspace_id=asked)) == expected


REFUSED: list[Any] = [
    param("acme/admin", {"workspace_id": "beta"}, "WORKSPACE_MISMATCH", id="another workspace"),
    param("acme/admin", {"workspace_id": "none"}, "WORKSPACE_MISMATCH", id="one that is not there"),
    param("acme/member", {}, "ROLE_REQUIRED", id="a member"),
    param("default/viewer", {}, "ROLE_REQUIRED", id="a viewer"),
    param("default/admin", {"page_size": -1}, "INVALID_REQUEST", id="a negative page"),
    param("default/admin", {"page_token": "x"}, "INVALID_REQUEST", id="no page's token"),
    param("default/admin", {"page_token": "9" * 40}, "INVALID_REQUEST", id="a token too long"),
]


@pytest.mark.parametrize(("caller", "asked", "reason"), REFUSED)
async def test_what_is_refused(at: Stage, caller: str, asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await at.listed(caller, **asked)
    assert errors.from_rpc(failed.value).reason == reason


async def test_an_export_has_whole_lines_that_any_reader_takes(at: Stage) -> None:
    lines = await at.lines(after_sequence=2)
    assert [line["sequence"] for line in lines] == [3, 4, 5, 6]
    assert lines[0]["before"]["limit_picodollars"] == 10**25
    assert lines[1]["after"] is None
    assert list(lines[0]) == [field.name for field in pb.AuditEntry.DESCRIPTOR.fields]


async def test_a_long_audit_comes_in_parts(at: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LINES", 2)
    parts = [_parsed(part) async for part in at.export()]
    assert [[line["sequence"] for line in part] for part in parts] == [[1, 2], [3, 4], [5, 6]]


async def test_an_export_that_follows_goes_on_as_changes_come(at: Stage) -> None:
    following = at.export("acme/admin", after_sequence=3, follow=True)
    async with asyncio.timeout(10):
        assert [line["sequence"] for line in _parsed(await following.read())] == [4]
        await at.put("delta")  # is not theirs
        await at.plane.change(BOB, lambda change: change.put("budget.create", BUDGET))
        assert [line["sequence"] for line in _parsed(await following.read())] == [8]
    following.cancel()


async def test_one_that_follows_asks_the_store_only_when_something_has_come(at: Stage) -> None:
    asked = 0
    ask = at.plane.ask

    async def counted(question: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(question)

    at.plane.ask = counted  # type: ignore[method-assign]
    following = at.export(follow=True)
    async with asyncio.timeout(10):
        await following.read()
        await at.put("delta")
        assert [line["sequence"] for line in _parsed(await following.read())] == [7]
    following.cancel()
    assert asked <= 4


async def test_the_past_of_a_deleted_workspace_of_the_same_name_is_the_operators_to_read(at: Stage) -> None:
    await at.plane.change(ANNA, lambda change: change.erase_workspace("acme"))
    await at.plane.change(
        ANNA, lambda change: change.put("workspace.create", Workspace("acme", created_ns=change.now_ns))
    )
    told = {caller: await at.listed(caller, workspace_id="acme") for caller in ("acme/admin", "default/admin")}
    actions = {caller: [entry.action for entry in answer.entries] for caller, answer in told.items()}
    assert actions["acme/admin"] == ["workspace.create"]
    assert [line["action"] for line in await at.lines("acme/admin")] == ["workspace.create"]
    assert actions["default/admin"][2:] == ["budget.delete", "budget.update", "budget.create", "workspace.create"]

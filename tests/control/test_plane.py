"""What is in force: at once where it was changed, soon elsewhere, and still when the store is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sidecar.control.change import Change
from sidecar.control.errors import CannotOpen
from sidecar.control.query import AuditQuery
from sidecar.core.control import NOTHING, Control, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.plane.plane import ControlPlane
from tests.support.control import ACTOR, open_plane
from tests.support.postgres import Postgres


def create(name: str = "a") -> Callable[[Change], int]:
    """Makes one workspace; says what generation it found."""

    def do(change: Change) -> int:
        change.put("workspace.create", Workspace(name))
        return change.control.generation

    return do


@asynccontextmanager
async def watching(plane: ControlPlane) -> AsyncIterator[None]:
    task = asyncio.create_task(plane.keep_fresh())
    try:
        yield
    finally:
        task.cancel()


async def changed(plane: ControlPlane) -> Control:
    """What is in force after the next swap."""
    swapped: asyncio.Future[Control] = asyncio.get_running_loop().create_future()
    plane.follow(lambda _, new: swapped.set_result(new) if not swapped.done() else None)
    async with asyncio.timeout(10):
        return await swapped


async def test_a_change_is_in_force_when_it_returns(tmp_path: Path, url: str) -> None:
    async with open_plane(tmp_path, url) as plane:
        assert plane.control == NOTHING
        assert await plane.change(ACTOR, create()) == 0
        assert (plane.control.generation, set(plane.control.workspaces)) == (1, {"default", "a"})


async def test_followers_are_told_what_was_and_what_is(tmp_path: Path) -> None:
    told: list[tuple[Control, Control]] = []
    async with open_plane(tmp_path) as plane:
        plane.follow(lambda old, new: told.append((old, new)))
        await plane.change(ACTOR, create())
        await plane.change(ACTOR, create("b"))
    assert [(old.generation, new.generation) for old, new in told] == [(0, 1), (1, 2)]


async def test_a_follower_that_fails_keeps_no_other_in_the_past(tmp_path: Path) -> None:
    told: list[int] = []

    def fail(_old: Control, _new: Control) -> None:
        raise LookupError

    async with open_plane(tmp_path) as plane:
        plane.follow(fail)
        plane.follow(lambda _, new: told.append(new.generation))
        with capture_logs() as logs:
            await plane.change(ACTOR, create())
    assert told == [1]
    assert [(line["event"], line["error"]) for line in logs] == [("control_follower_failed", "LookupError")]


async def test_a_refusal_passes_through_and_nothing_changes(tmp_path: Path, url: str) -> None:
    def do(change: Change) -> None:
        create()(change)
        raise Refusal("ALREADY_EXISTS", RefusalReason.NAME_TAKEN, "taken")

    async with open_plane(tmp_path, url) as plane:
        with pytest.raises(Refusal, match="taken"):
            await plane.change(ACTOR, do)
        assert plane.control == NOTHING


async def test_the_loop_goes_on_while_the_store_works(tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def do(change: Change) -> None:
        reached.set()
        assert go_on.wait(10)
        create()(change)

    async with open_plane(tmp_path) as plane:
        working = asyncio.create_task(plane.change(ACTOR, do))
        while not reached.is_set():
            await asyncio.sleep(0)
        assert plane.control == NOTHING
        go_on.set()
        await working
        assert plane.control.generation == 1


async def test_a_caller_that_hangs_up_leaves_no_change_unseen(tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def do(change: Change) -> None:
        reached.set()
        assert go_on.wait(10)
        create()(change)

    async with open_plane(tmp_path) as plane:
        working = asyncio.create_task(plane.change(ACTOR, do))
        while not reached.is_set():
            await asyncio.sleep(0)
        working.cancel()
        go_on.set()
        assert "a" in (await changed(plane)).workspaces


async def test_changes_at_once_are_made_one_after_the_other(tmp_path: Path, url: str) -> None:
    def count(change: Change) -> None:
        default = change.control.workspaces["default"]
        change.put("workspace.update", replace(default, display_name=f"{default.display_name}i"))

    async with open_plane(tmp_path, url) as plane:
        await asyncio.gather(*(plane.change(ACTOR, count) for _ in range(20)))
        assert plane.control.workspaces["default"].display_name == "i" * 20


async def test_what_another_process_changes_comes_into_force(tmp_path: Path, url: str) -> None:
    async with open_plane(tmp_path, url, poll_s=0.01) as plane, open_plane(tmp_path, url) as other, watching(plane):
        waiting = asyncio.create_task(changed(plane))
        await other.change(ACTOR, create())
        assert "a" in (await waiting).workspaces


async def test_what_another_process_notes_is_seen_without_a_swap(tmp_path: Path, url: str) -> None:
    async with open_plane(tmp_path, url, poll_s=0.01) as plane, open_plane(tmp_path, url) as other, watching(plane):
        before = plane.control
        await other.change(ACTOR, lambda change: change.note("export.made", "default", "x"))
        async with asyncio.timeout(10):
            await plane.audited(0)
        assert plane.control is before
        assert [entry.action for entry in await plane.ask(lambda store: store.audit(AuditQuery()))] == ["export.made"]


async def test_a_store_that_is_gone_leaves_in_force_what_is(tmp_path: Path, server: Postgres) -> None:
    with capture_logs() as logs:
        async with open_plane(tmp_path, server.database(), poll_s=0.01) as plane:
            await plane.change(ACTOR, create())
            server.stop()
            try:
                for _ in range(2):
                    with pytest.raises(Refusal) as refused:
                        await plane.change(ACTOR, create("b"))
                assert (refused.value.grpc_status, refused.value.reason) == (
                    "UNAVAILABLE",
                    RefusalReason.CONTROL_UNAVAILABLE,
                )
                with pytest.raises(Refusal):
                    await plane.ask(lambda store: store.audit(AuditQuery()))
                assert "a" in plane.control.workspaces
            finally:
                server.start()
            async with watching(plane):
                await plane.change(ACTOR, create("b"))
            assert set(plane.control.workspaces) == {"default", "a", "b"}
    assert [line["event"] for line in logs] == ["control_store_unavailable", "control_store_back"]


async def test_a_store_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(CannotOpen, match="Put back a copy"):
        async with open_plane(tmp_path):
            pass

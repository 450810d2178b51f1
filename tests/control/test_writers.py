"""Writers come one after the other, whoever they are and however they end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import islice

import pytest

from sidecar.control.change import Change
from sidecar.control.errors import StoreUnavailable
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING, Workspace
from tests.support.control import ACTOR
from tests.support.postgres import Postgres
from tests.support.stack import ROOT

CHANGES = 25


def count_on(change: Change) -> None:
    default = change.control.workspaces["default"]
    change.put("workspace.update", replace(default, display_name=str(int(default.display_name or 0) + 1)))


@contextmanager
def victim(url: str, mode: str) -> Iterator[Iterator[bytes]]:
    """What it says; killed at the end."""
    command = [sys.executable, "-m", "tests.support.control_victim", url, mode]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environ) as process:
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.kill()


def test_two_writers_never_lose_an_update(url: str) -> None:
    def write(_: int) -> None:
        with closing(ControlStore(url, Clock())) as store:
            for _ in range(CHANGES):
                store.change(ACTOR, count_on)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    with closing(ControlStore(url, Clock())) as store:
        assert store.read().workspaces["default"].display_name == str(2 * CHANGES)
        assert store.position() == (2 * CHANGES, 2 * CHANGES)


def test_one_store_may_be_used_by_several_threads(store: ControlStore) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.change(ACTOR, count_on), range(CHANGES)))
    assert store.generation() == CHANGES


def test_a_reader_sees_one_state_while_others_write(store: ControlStore) -> None:
    def do(change: Change) -> None:
        change.put("workspace.create", Workspace(f"w{change.control.generation}"))

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(lambda: [store.change(ACTOR, do) for _ in range(CHANGES)])
        while not writing.done():
            control = store.read()
            assert len(control.workspaces) == control.generation + 1
        writing.result()


def test_killed_in_the_middle_of_a_change_it_has_changed_nothing(url: str) -> None:
    with victim(url, "half") as said:
        assert next(said) == b"half\n"
    with closing(ControlStore(url, Clock())) as store:
        assert store.read() == NOTHING
        assert store.position() == (0, 0)
        store.change(ACTOR, count_on)


def test_killed_anywhere_changes_are_whole_or_not_there(url: str) -> None:
    with victim(url, "pairs") as said:
        told = len(list(islice(said, 10)))
    with closing(ControlStore(url, Clock())) as store:
        names = store.read().workspaces.keys() - {"default"}
        pairs = {name.partition("-")[2] for name in names}
        assert names == {f"{side}-{number}" for number in pairs for side in ("left", "right")}
        assert store.position() == (len(pairs), 2 * len(pairs))
        assert len(pairs) >= told


def test_a_server_that_was_restarted_is_found_again(server: Postgres) -> None:
    with closing(ControlStore(server.database(), Clock())) as store:
        store.change(ACTOR, count_on)
        server.stop()
        with pytest.raises(StoreUnavailable):
            store.change(ACTOR, count_on)
        server.start()
        store.change(ACTOR, count_on)
        assert store.generation() == 2


def test_a_server_lost_within_a_change_leaves_it_undone(server: Postgres) -> None:
    def do(change: Change) -> None:
        count_on(change)
        server.stop()
        count_on(change)

    with closing(ControlStore(server.database(), Clock())) as store:
        with suppress(StoreUnavailable):
            store.change(ACTOR, do)
        server.start()
        assert store.read() == NOTHING

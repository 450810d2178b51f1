"""A copy of the control store is a control store, whatever goes on meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from sidecar.control.change import Change
from sidecar.control.copying import copy
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Workspace
from tests.support.control import ACTOR, sqlite_url


def test_a_copy_holds_what_was_changed_and_not_what_is_being_changed(tmp_path: Path) -> None:
    to = tmp_path / "copy.db"

    def do(change: Change) -> None:
        change.put("workspace.create", Workspace("late"))
        assert copy(tmp_path / "control.db", to) == to.stat().st_size

    with closing(ControlStore(sqlite_url(tmp_path), Clock())) as store:
        store.change(ACTOR, lambda change: change.put("workspace.create", Workspace("early")))
        store.change(ACTOR, do)
    assert to.stat().st_mode & 0o777 == 0o600
    with closing(ControlStore(f"sqlite:///{to}", Clock())) as copied:
        assert set(copied.read().workspaces) == {"default", "early"}


def test_a_damaged_store_leaves_no_half_copy(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(OSError, match="could not be copied: file is not a database"):
        copy(tmp_path / "control.db", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()

"""Another key-encryption key, put into force by a process that is killed on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.control.change import Change
from sidecar.control.query import AuditQuery
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Workspace
from tests.support.control import ACTOR, sqlite_url
from tests.support.rewrap_victim import rewrap
from tests.support.stack import ROOT, clean_environment
from tests.support.vault import key_text, provider_key, vault

WORKSPACES = ("acme", "beta", "gamma", "delta")
OLD, NEW = key_text(), key_text()
SECRETS = {f"key-{name}": f"sk-of-{name}" for name in WORKSPACES}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ControlStore]:
    """A workspace each with a data key and a provider key of the old days."""
    opened = ControlStore(sqlite_url(tmp_path), Clock())
    safe = vault(OLD)

    def fill(change: Change) -> None:
        for name in WORKSPACES:
            data_key = safe.new_data_key(name, change.now_ns)
            key = provider_key(workspace=name, key_id=f"key-{name}")
            change.put("workspace.create", Workspace(name))
            change.put("data_key.create", data_key)
            change.put("key.add", safe.seal(SECRETS[key.key_id], key, data_key))

    opened.change(ACTOR, fill)
    yield opened
    opened.close()


def killed(tmp_path: Path, stop: int) -> list[str]:
    """The lines of a process that got as far as `stop`."""
    argv = [sys.executable, "-m", "tests.support.rewrap_victim", sqlite_url(tmp_path), NEW, OLD, str(stop)]
    with subprocess.Popen(argv, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        lines = []
        for line in victim.stdout:
            lines.append(line.strip())
            if lines[-1] in ("half", "all"):
                break
        victim.kill()
    return lines


def opened_by(store: ControlStore, *texts: str) -> dict[str, str]:
    control, safe = store.read(), vault(*texts)
    return {key_id: safe.open(key, control.data_keys[key.data_key_id]) for key_id, key in control.keys.items()}


@pytest.mark.parametrize("stop", [0, 1, 3, 4], ids=["at the first", "at the second", "at the last", "after all"])
def test_what_was_broken_off_goes_on_where_it_ended(store: ControlStore, tmp_path: Path, stop: int) -> None:
    assert len(killed(tmp_path, stop)) == stop + 1
    assert opened_by(store, NEW, OLD) == SECRETS, "in between both keys are needed, and all can be opened"
    kinds = [each.kek_id for each in store.read().data_keys.values()]
    assert kinds.count(vault(NEW).kek_id) == stop

    both = vault(NEW, OLD)
    assert rewrap(store, both) == len(WORKSPACES) - stop
    control = store.read()
    assert both.verify(control.keys.values(), control.data_keys).opened == len(WORKSPACES)
    assert opened_by(store, NEW) == SECRETS, "the old key is needed no more"
    audited = [each.subject for each in store.audit(AuditQuery()) if each.action == "data_key.rewrap"]
    assert sorted(audited) == sorted(control.data_keys), "each once"


def test_there_is_nothing_to_do_twice(store: ControlStore) -> None:
    assert rewrap(store, vault(NEW, OLD)) == len(WORKSPACES)
    generation = store.generation()
    assert rewrap(store, vault(NEW, OLD)) == 0
    assert store.generation() == generation

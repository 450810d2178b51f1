"""Rows of the control store that were changed by hand, while a sidecar has their secrets open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.core.control import Control, Workspace
from sidecar.plane.catalogs import Catalogs
from tests.support.rig import Notes
from tests.support.vault import NOW_NS, key_text, provider_key, vault
from tests.support.workspaces import KNOWN, system

SECRET = "sk-proj-0123456789abcdefghij"
CONFIGURED = system()
SAFE = vault(key_text())
DATA_KEY = SAFE.new_data_key("acme", NOW_NS)
KEY = SAFE.seal(SECRET, provider_key(), DATA_KEY)


class Plane:
    """What is in force, and how another state comes into force."""

    def __init__(self) -> None:
        self.control = Control(
            workspaces={name: Workspace(name) for name in ("default", "acme", "rival")},
            keys={KEY.key_id: KEY},
            data_keys={DATA_KEY.data_key_id: DATA_KEY},
        )
        self._prepare: Callable[[Control], None]
        self._follow: Callable[[Control, Control], None]

    def prepare(self, prepare: Callable[[Control], None]) -> None:
        self._prepare = prepare
        prepare(self.control)

    def follow(self, follower: Callable[[Control, Control], None]) -> None:
        self._follow = follower

    def swap(self, **changes: Any) -> None:
        key = dataclasses.replace(KEY, **changes)
        new = dataclasses.replace(self.control, generation=self.control.generation + 1, keys={KEY.key_id: key})
        self._prepare(new)
        old, self.control = self.control, new
        self._follow(old, new)


@pytest.mark.parametrize(
    ("workspace", "changes"),
    [
        pytest.param("rival", {"workspace": "rival"}, id="moved to another workspace"),
        pytest.param("acme", {"provider": "groq"}, id="moved to another provider"),
        pytest.param("acme", {"base_url": "https://evil.example/v1"}, id="readdressed"),
        pytest.param("acme", {"sealed": KEY.sealed[:-1] + b"!"}, id="changed"),
        pytest.param("acme", {"version": 2}, id="renumbered"),
    ],
)
def test_a_secret_that_is_open_does_not_follow_its_row(workspace: str, changes: dict[str, Any]) -> None:
    plane, notes = Plane(), Notes()
    catalogs = Catalogs(lambda: CONFIGURED, plane, SAFE, known=KNOWN, log=notes)
    assert SECRET in secrets(catalogs, "acme")
    plane.swap(**changes)
    assert catalogs.locked() == {KEY.key_id}
    assert secrets(catalogs, workspace) == set()


def test_a_label_does_not_lock_it() -> None:
    plane = Plane()
    catalogs = Catalogs(lambda: CONFIGURED, plane, SAFE, known=KNOWN, log=Notes())
    plane.swap(label="another", enabled=True)
    assert catalogs.locked() == frozenset()
    assert secrets(catalogs, "acme") == {SECRET}


def secrets(catalogs: Catalogs, workspace: str) -> set[str]:
    return {key.secret for account in catalogs.of(workspace).accounts.values() for key in account.keys}

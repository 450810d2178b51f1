"""Each workspace's catalogue over a real store: in force with its change, the same object otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sidecar.control.store import ControlStore
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import Control, DataKey, PlatformKeys, ProviderKey, Workspace
from sidecar.core.faults import Refusal
from sidecar.plane import catalogs as module
from sidecar.plane.catalogs import Catalogs
from sidecar.plane.plane import ControlPlane
from sidecar.vault.faults import KeeperUnavailable, Tampered, VaultFault, VaultLocked
from tests.support.control import ACTOR, sqlite_url
from tests.support.rig import Notes
from tests.support.workspaces import KNOWN, alias, key, secret, system

param = pytest.param


class Box:
    """A vault that says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.faults: dict[str, type[VaultFault]] = {}

    def open(self, key: ProviderKey, data_key: DataKey) -> str:
        self.asked.append(key.key_id)
        if key.key_id in self.faults:
            raise self.faults[key.key_id]("sk-not-to-be-said")
        return secret(key)


@dataclass
class Scene:
    plane: ControlPlane
    catalogs: Catalogs
    box: Box
    notes: Notes
    system: Catalog

    async def put(self, *held: object) -> None:
        def do(change: object) -> None:
            for each in held:
                change.put("test.put", each)  # type: ignore[attr-defined]

        await self.plane.change(ACTOR, do)

    async def workspaces(self, *names: str) -> None:
        for name in names:
            await self.put(Workspace(name), DataKey(f"data-{name}", name, "kek", b"wrapped"))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock, notes, box = Clock(), Notes(), Box()
    plane = ControlPlane(lambda: ControlStore(sqlite_url(tmp_path), clock), clock, notes)
    made = Scene(plane, None, box, notes, system("openai"))  # type: ignore[arg-type]
    made.catalogs = Catalogs(lambda: made.system, plane, box, known=KNOWN, log=notes)
    await plane.open()
    try:
        await made.workspaces("acme", "other")
        yield made
    finally:
        await plane.close()


def opens(catalog: Catalog, provider: str) -> list[str]:
    return [each.secret for each in catalog.accounts[provider].keys]


async def test_a_key_opens_from_the_moment_its_change_returns(scene: Scene) -> None:
    before = scene.catalogs.of("acme")
    added = key("acme", "groq", "g")
    await scene.put(added)
    assert not before.accounts["groq"].usable
    assert opens(scene.catalogs.of("acme"), "groq") == ["sk-secret-of-g-1"]
    await scene.put(replace(added, version=2, sealed=b"anew"))
    assert opens(scene.catalogs.of("acme"), "groq") == ["sk-secret-of-g-2"]
    await scene.put(replace(added, version=2, sealed=b"", revoked_ns=1))
    assert not scene.catalogs.of("acme").accounts["groq"].usable


async def test_the_object_stays_until_something_of_the_workspace_changes(scene: Scene) -> None:
    names = ("acme", "other", "default")
    before = {name: scene.catalogs.of(name) for name in names}
    await scene.put(key("acme", "groq"), alias("acme", "mine", "groq/x"))
    assert [scene.catalogs.of(name) is before[name] for name in names] == [False, True, True]
    now = scene.catalogs.of("acme")
    await scene.put(Workspace("third"))
    assert scene.catalogs.of("acme") is now


async def test_a_secret_is_opened_once(scene: Scene) -> None:
    await scene.put(key("acme", "groq", "g"))
    for number in range(3):
        await scene.put(alias("acme", f"mine{number}", "groq/x"))
    assert scene.box.asked == ["g"]


async def test_a_reload_is_followed(scene: Scene) -> None:
    before = scene.catalogs.of("acme"), scene.catalogs.of("default")
    scene.system = system("openai", "groq", default_deadline_s=5.0)
    assert scene.catalogs.of("acme") is not before[0]
    assert scene.catalogs.of("acme").default_deadline_s == 5.0
    assert scene.catalogs.of("default") is scene.system


async def test_who_follows_is_told_of_what_has_changed(scene: Scene) -> None:
    told: list[tuple[str, bool]] = []
    scene.catalogs.changed = lambda old, new: told.append((new.workspace, old is new))
    for name in ("acme", "other"):
        scene.catalogs.of(name)
    await scene.put(key("acme", "groq", "g"))
    assert told == [("acme", False)]
    assert [account.name for account in scene.catalogs.own_accounts()] == ["groq"]


@pytest.mark.parametrize("fault", [VaultLocked, Tampered, KeeperUnavailable])
async def test_a_key_that_cannot_be_opened_is_left_out_said_once_and_listed(
    scene: Scene, fault: type[VaultFault]
) -> None:
    scene.box.faults["g"] = fault
    await scene.put(key("acme", "groq", "g"), key("acme", "openai", "o"))
    await scene.put(alias("acme", "mine", "groq/x"))
    assert opens(scene.catalogs.of("acme"), "openai") == ["sk-secret-of-o-1"]
    assert scene.catalogs.of("acme").accounts["groq"].unusable == (
        "the key of this workspace for groq cannot be decrypted"
    )
    assert scene.catalogs.locked() == {"g"}
    said = [values for event, values in scene.notes.lines if event == "key_locked"]
    assert said == [{"workspace": "acme", "key_id": "g", "provider": "groq", "why": fault.__name__}]


async def test_a_key_whose_data_key_is_gone_is_locked(scene: Scene) -> None:
    held = key("acme", "groq", "g", data_key_id="data-acme")
    control = Control(workspaces=scene.plane.control.workspaces, keys={"g": held})
    scene.catalogs.prepare(control)
    assert [values["key_id"] for event, values in scene.notes.lines if event == "key_locked"] == ["g"]


async def test_what_a_key_service_could_not_be_asked_for_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    scene.box.faults["g"] = KeeperUnavailable
    await scene.put(key("acme", "groq", "g"))
    before = scene.catalogs.of("acme")
    del scene.box.faults["g"]
    trying = asyncio.create_task(scene.catalogs.keep_opening())
    async with asyncio.timeout(20):
        while scene.catalogs.of("acme") is before:
            await asyncio.sleep(0.01)
    trying.cancel()
    assert (opens(scene.catalogs.of("acme"), "groq"), scene.catalogs.locked()) == (["sk-secret-of-g-1"], frozenset())


async def test_an_unknown_workspace_is_refused(scene: Scene) -> None:
    with pytest.raises(Refusal) as refused:
        scene.catalogs.of("nobody")
    assert (refused.value.grpc_status, refused.value.reason) == ("NOT_FOUND", "UNKNOWN_WORKSPACE")


async def test_of_more_workspaces_than_are_kept_all_are_served(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIEWS", 2)
    for name in ("acme", "other", "default", "acme"):
        assert scene.catalogs.of(name).workspace == name


async def test_the_policy_is_in_force_at_once(scene: Scene) -> None:
    assert not scene.catalogs.of("acme").accounts["openai"].usable
    await scene.put(Workspace("acme", platform_keys=PlatformKeys.ALWAYS))
    assert scene.catalogs.of("acme").accounts["openai"].usable

"""What is put is there, whole, once, and in order."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.control.change import Change
from sidecar.control.rows import Entity
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import (
    NOTHING,
    AliasVersion,
    Budget,
    BudgetScope,
    Control,
    PriceOverride,
    ProviderKey,
    Role,
    Token,
    Workspace,
)
from sidecar.core.faults import Refusal, RefusalReason
from tests.support.control import ACTOR, sqlite_url
from tests.support.control_entities import DATA_KEY, ENTITIES, WORKSPACE, changed

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BUDGET = Budget("b", WORKSPACE, "all", BudgetScope.WORKSPACE, limit_requests=1)
PRICE = PriceOverride("p", "openai", "m", (("input", "0.5", 0),))
ALIAS = AliasVersion(WORKSPACE, "writer", 1, {"strategy": "failover"})


def held(control: Control) -> Iterator[Entity]:
    for each in (control.workspaces, control.tokens, control.keys, control.data_keys, control.aliases, control.budgets):
        yield from each.values()
    yield from control.prices


def prepare(change: Change) -> None:
    """What the others hang on, once."""
    if WORKSPACE not in change.control.workspaces:
        change.put("workspace.create", Workspace(WORKSPACE))
        change.put("data_key.create", DATA_KEY)


def put(store: ControlStore, *entities: Entity) -> None:
    def do(change: Change) -> None:
        prepare(change)
        for entity in entities:
            change.put("thing.put", entity)

    store.change(ACTOR, do)


def test_a_new_store_holds_the_default_workspace(store: ControlStore) -> None:
    assert store.read() == NOTHING


@many
@given(entity=ENTITIES)
def test_what_is_put_comes_back_as_it_was(store: ControlStore, entity: Entity) -> None:
    def do(change: Change) -> None:
        prepare(change)
        if isinstance(entity, AliasVersion):  # its versions only go up, and the examples share a store
            change._connection.exec_driver_sql("DELETE FROM ai_model_aliases")
        change.put("thing.put", entity)
        assert entity in held(change.control)

    store.change(ACTOR, do)
    assert entity in held(store.read())


@many
@given(entity=ENTITIES)
def test_what_is_put_again_replaces_what_was(store: ControlStore, entity: Entity) -> None:
    def do(change: Change) -> None:
        prepare(change)
        change._connection.exec_driver_sql("DELETE FROM ai_model_aliases")
        change.put("thing.put", entity)
        change.put("thing.put", changed(entity))

    store.change(ACTOR, do)
    assert changed(entity) in held(store.read())
    assert entity not in held(store.read())


def test_the_control_of_a_change_is_what_the_store_reads_next(store: ControlStore) -> None:
    def do(change: Change) -> Control:
        prepare(change)
        for entity in (Workspace("x"), ALIAS, replace(ALIAS, version=2, deleted=True), BUDGET, PRICE):
            change.put("thing.put", entity)
        change.remove("budget.delete", BUDGET)
        return change.control

    within = store.change(ACTOR, do)
    assert replace(within, generation=1) == store.read()


@many
@given(entities=st.lists(ENTITIES, max_size=4))
def test_what_a_store_remembers_is_what_another_reads(store: ControlStore, url: str, entities: list[Entity]) -> None:
    """The store reads the tables anew only when others have written."""

    def do(change: Change) -> None:
        prepare(change)
        for entity in entities:
            with suppress(Refusal):  # a version of an alias that an earlier example had
                change.put("thing.put", entity)
            if isinstance(entity, Budget | PriceOverride) and entity.created_ns % 2:
                change.remove("thing.delete", entity)

    store.change(ACTOR, do)
    with closing(ControlStore(url, Clock())) as other:
        assert other.snapshot() == store.snapshot()
    if len(entities) == 4:
        store.change(ACTOR, lambda change: change.erase_workspace(WORKSPACE))


def test_what_others_write_is_read(store: ControlStore, url: str) -> None:
    with closing(ControlStore(url, Clock())) as other:
        put(other, BUDGET)
        assert BUDGET in held(store.read())
        put(store, PRICE)
        assert (BUDGET in held(other.read()), PRICE in held(other.read())) == (True, True)


def test_a_generation_is_counted_once_a_change(store: ControlStore) -> None:
    put(store, BUDGET, PRICE)
    assert store.generation() == 1
    put(store, BUDGET)
    assert (store.generation(), store.read().generation) == (2, 2)


def test_a_note_is_no_change(store: ControlStore) -> None:
    store.change(ACTOR, lambda change: change.note("export.made", "default", "x"))
    assert store.position() == (0, 1)


def test_a_change_that_raises_changes_nothing(store: ControlStore) -> None:
    def do(change: Change) -> None:
        prepare(change)
        raise Refusal("ABORTED", RefusalReason.VERSION_CONFLICT, "no")

    with pytest.raises(Refusal, match="no"):
        store.change(ACTOR, do)
    assert store.read() == NOTHING
    assert store.position() == (0, 0)


@pytest.mark.parametrize("entity", [BUDGET, PRICE], ids=["budget", "price"])
def test_what_is_removed_is_gone(store: ControlStore, entity: Any) -> None:
    put(store, entity)
    store.change(ACTOR, lambda change: change.remove("thing.delete", entity))
    assert entity not in held(store.read())
    with pytest.raises(KeyError):
        store.change(ACTOR, lambda change: change.remove("thing.delete", entity))


def test_every_version_of_an_alias_is_kept(store: ControlStore) -> None:
    versions = [ALIAS, replace(ALIAS, version=2, definition={}), replace(ALIAS, version=3, deleted=True)]
    put(store, *versions)
    assert store.read().aliases == {}
    assert store.alias_versions(WORKSPACE, "writer") == tuple(reversed(versions))
    put(store, replace(ALIAS, version=4))
    assert store.read().aliases == {(WORKSPACE, "writer"): replace(ALIAS, version=4)}


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_of_an_alias_is_never_written_twice(store: ControlStore, version: int) -> None:
    put(store, replace(ALIAS, version=2))
    with pytest.raises(Refusal) as refused:
        put(store, replace(ALIAS, version=version))
    assert refused.value.reason is RefusalReason.VERSION_CONFLICT


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b"], ids=["NUL", "half a character"])
def test_what_is_no_text_is_refused(store: ControlStore, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        put(store, Workspace(name))
    assert refused.value.field_violations == (("name", "holds NUL or half a character"),)


def test_an_erased_workspace_leaves_nothing_but_its_audit(store: ControlStore) -> None:
    key = ProviderKey("k", WORKSPACE, "openai", "mine", "sk-...abcd", "d", b"sealed")
    put(store, Token("t", WORKSPACE, "ci", Role.ADMIN, b"h"))
    put(store, key, ALIAS, BUDGET, Workspace("other"), replace(BUDGET, budget_id="o", workspace="other"))
    store.change(ACTOR, lambda change: change.erase_workspace(WORKSPACE))
    control = store.read()
    assert set(control.workspaces) == {"default", "other"}
    assert set(control.budgets) == {"o"}
    assert (control.tokens, control.keys, control.data_keys, control.aliases) == ({}, {}, {}, {})
    assert store.alias_versions(WORKSPACE, "writer") == ()


@pytest.mark.parametrize(
    ("name", "reason"), [("default", RefusalReason.INVALID_REQUEST), ("nobody", RefusalReason.UNKNOWN_WORKSPACE)]
)
def test_what_cannot_be_erased_says_so(store: ControlStore, name: str, reason: RefusalReason) -> None:
    with pytest.raises(Refusal) as refused:
        store.change(ACTOR, lambda change: change.erase_workspace(name))
    assert refused.value.reason is reason


def test_the_snapshot_of_providers_is_replaced_whole(store: ControlStore) -> None:
    row = {"name": "a", "type": "openai", "base_url": "", "usable": True, "capabilities": "[]", "updated_ns": 1}
    store.replace_providers([row, {**row, "name": "b"}])
    store.replace_providers([row])
    store.replace_providers([])
    assert store.generation() == 0


def test_its_files_are_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "control.db").touch(0o644)
    store = ControlStore(sqlite_url(tmp_path), Clock())
    put(store)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("control.db*")}
    store.close()
    assert modes == {"control.db": 0o600, "control.db-wal": 0o600, "control.db-shm": 0o600}

"""Nothing is changed without a row that tells of it, and no row tells a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.control.change import Change
from sidecar.control.query import AuditQuery
from sidecar.control.rows import Entity
from sidecar.control.store import ControlStore
from sidecar.core.call import KeyScope
from sidecar.core.clock import Clock
from sidecar.core.control import (
    SECRET_FIELDS,
    Actor,
    AliasVersion,
    AuditEntry,
    Budget,
    BudgetScope,
    DataKey,
    PriceOverride,
    ProviderKey,
    Role,
    Token,
    Workspace,
)
from tests.support.control_entities import BUDGETS, DATA_KEY, KEYS, TOKENS, WORKSPACE

ANNA = Actor("token-anna", "ipv4:10.0.0.1")
BOB = Actor("token-bob", "unix")
CANARY = b"canary-7f3a"
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PUTS: dict[str, tuple[Entity, str, str]] = {
    "workspace": (Workspace("x"), "x", "x"),
    "token": (Token("t", WORKSPACE, "ci", Role.ADMIN, CANARY), WORKSPACE, "t"),
    "data key": (DataKey("d2", WORKSPACE, "kek", CANARY), WORKSPACE, "d2"),
    "key": (ProviderKey("k", WORKSPACE, "openai", "mine", "sk-...abcd", "d", CANARY), WORKSPACE, "k"),
    "alias": (AliasVersion(WORKSPACE, "writer", 1, {}), WORKSPACE, "writer"),
    "budget": (Budget("b", WORKSPACE, "all", BudgetScope.WORKSPACE), WORKSPACE, "b"),
    "price": (PriceOverride("p", "openai", "m", ()), "default", "p"),
}


def prepare(change: Change) -> None:
    change.put("workspace.create", Workspace(WORKSPACE))
    change.put("data_key.create", DATA_KEY)


@pytest.fixture
def times() -> Iterator[int]:
    """1 s, 2 s, 3 s ..."""
    return iter(range(10**9, 10**12, 10**9))


@pytest.fixture
def store(url: str, times: Iterator[int]) -> Iterator[ControlStore]:
    """Opened at 1 s; its first change is of 2 s. "w" is there."""
    opened = ControlStore(url, Clock(wall_ns=lambda: next(times)))
    opened.change(ANNA, prepare)
    yield opened
    opened.close()


def newest(store: ControlStore) -> AuditEntry:
    return store.audit(AuditQuery(limit=1))[0]


@pytest.mark.parametrize("kind", PUTS)
def test_every_put_is_told(store: ControlStore, kind: str) -> None:
    entity, workspace, subject = PUTS[kind]
    store.change(BOB, lambda change: change.put("thing.add", entity))
    told = newest(store)
    assert (told.workspace, told.subject, told.action, told.actor, told.origin) == (
        workspace,
        subject,
        "thing.add",
        "token-bob",
        "unix",
    )
    assert told.before is None
    assert told.after is not None
    assert not SECRET_FIELDS & told.after.keys()
    assert "canary" not in json.dumps(told.after)


def test_a_change_is_told_as_it_was_and_as_it_is(store: ControlStore) -> None:
    key = ProviderKey("k", WORKSPACE, "openai", "mine", "sk-...abcd", "d", CANARY)
    store.change(ANNA, lambda change: change.put("key.add", key))
    less = replace(key, scopes=frozenset({KeyScope.TEXT, KeyScope.AUDIO}), enabled=False)
    store.change(ANNA, lambda change: change.put("key.update", less))
    told = newest(store)
    assert told.before is not None
    assert told.after is not None
    assert {name for name in told.after if told.after[name] != told.before[name]} == {"scopes", "enabled"}
    assert told.after["scopes"] == ["audio", "text"]


def test_a_removal_is_told_as_it_was(store: ControlStore) -> None:
    budget = Budget("b", WORKSPACE, "all", BudgetScope.WORKSPACE, limit_picodollars=10**25)
    store.change(ANNA, lambda change: change.put("budget.create", budget))
    store.change(ANNA, lambda change: change.remove("budget.delete", budget))
    told = newest(store)
    assert told.before is not None
    assert told.before["limit_picodollars"] == 10**25
    assert told.after is None


@quick
@given(entity=st.one_of(TOKENS, KEYS, BUDGETS))
def test_whatever_is_put_can_be_told(store: ControlStore, entity: Token | ProviderKey | Budget) -> None:
    before = store.position()
    store.change(ANNA, lambda change: change.put("thing.put", entity))
    assert store.position() == (before.generation + 1, before.audit_sequence + 1)
    assert newest(store).after is not None


def test_what_was_taken_back_is_not_told(store: ControlStore) -> None:
    def do(change: Change) -> None:
        change.put("workspace.create", Workspace("x"))
        raise LookupError

    with pytest.raises(LookupError):
        store.change(ANNA, do)
    assert newest(store).sequence == 2
    store.change(ANNA, lambda change: change.note("export.made", "default", "x"))
    assert newest(store).sequence == 3


QUERIES = [
    pytest.param(AuditQuery(), "87654321", id="all, the newest first"),
    pytest.param(AuditQuery(limit=3), "876", id="a page"),
    pytest.param(AuditQuery(limit=3, before_sequence=6), "543", id="the next page"),
    pytest.param(AuditQuery(after_sequence=5), "678", id="what came behind, the oldest first"),
    pytest.param(AuditQuery(after_sequence=5, limit=2), "67", id="a part of what came behind"),
    pytest.param(AuditQuery(after_sequence=8), "", id="nothing came behind"),
    pytest.param(AuditQuery(action="token.revoke"), "6", id="action"),
    pytest.param(AuditQuery(action="token"), "64", id="all done to tokens"),
    pytest.param(AuditQuery(action="tok"), "", id="not by half a word"),
    pytest.param(AuditQuery(action="%"), "", id="not by a pattern"),
    pytest.param(AuditQuery(actor="token-bob"), "7654", id="actor"),
    pytest.param(AuditQuery(subject="b"), "75", id="subject"),
    pytest.param(AuditQuery(workspace="x"), "83", id="workspace"),
    pytest.param(AuditQuery(workspace=""), "", id="of no workspace"),
    pytest.param(AuditQuery(since_ns=5 * 10**9), "8765", id="since, inclusive"),
    pytest.param(AuditQuery(until_ns=5 * 10**9), "4321", id="until, exclusive"),
    pytest.param(AuditQuery(since_ns=4 * 10**9, until_ns=6 * 10**9, actor="token-bob"), "54", id="together"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_what_can_be_asked(store: ControlStore, query: AuditQuery, expected: str) -> None:
    budget = Budget("b", WORKSPACE, "all", BudgetScope.WORKSPACE)
    token = Token("t", WORKSPACE, "ci", Role.ADMIN, CANARY)
    store.change(ANNA, lambda change: change.put("workspace.create", Workspace("x")))
    store.change(BOB, lambda change: change.put("token.create", token))
    store.change(BOB, lambda change: change.put("budget.create", budget))
    store.change(BOB, lambda change: change.put("token.revoke", replace(token, revoked_ns=1)))
    store.change(BOB, lambda change: change.remove("budget.delete", budget))
    store.change(ANNA, lambda change: change.put("workspace.update", Workspace("x", "X")))
    assert "".join(str(entry.sequence) for entry in store.audit(query)) == expected


def test_of_an_erased_workspace_it_is_told_who_did_what_and_no_more(store: ControlStore) -> None:
    store.change(ANNA, lambda change: change.put("alias.create", AliasVersion(WORKSPACE, "writer", 1, {"a": "b"})))
    store.change(BOB, lambda change: change.erase_workspace(WORKSPACE))
    last, *earlier = store.audit(AuditQuery(workspace=WORKSPACE))
    assert (last.action, last.actor) == ("workspace.delete", "token-bob")
    assert last.after == {
        "erased": {"provider_keys": 0, "data_keys": 1, "tokens": 0, "model_aliases": 1, "provider_budgets": 0}
    }
    assert [entry.action for entry in earlier] == ["alias.create", "data_key.create", "workspace.create"]
    assert {(entry.before, entry.after) for entry in earlier} == {(None, None)}

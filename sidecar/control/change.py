"""One change of the control plane, inside its transaction: nothing is put without an audit row beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sidecar.control import reading, tables
from sidecar.control.audit import place, told
from sidecar.control.rows import KINDS, Entity, Removable, to_row
from sidecar.core.control import (
    DEFAULT_WORKSPACE,
    Actor,
    AliasVersion,
    AuditEntry,
    Budget,
    Control,
    DataKey,
    PriceOverride,
    ProviderKey,
    Token,
)
from sidecar.core.faults import Refusal, RefusalReason


class Change:
    """What `do` is given: the control plane as it stands under the write lock, and the ways to change it.

    `control` is kept up with every put, and belongs to this change alone.
    """

    def __init__(self, connection: sa.Connection, control: Control, actor: Actor, now_ns: int) -> None:
        """`control`: what stands in the store, which nobody else can change before the transaction ends."""
        self._connection = connection
        self._actor = actor
        self._changed = False
        self.now_ns = now_ns
        self.control = _copy(control)

    def put(self, action: str, entity: Entity) -> None:
        """Inserts, or replaces what has the same key; audited as `action` ("key.add"). Versions of an alias are never
        replaced. Raises Refusal (VERSION_CONFLICT, INVALID_REQUEST)."""
        _storable(entity)
        before = _known(self.control, entity)
        row, kind = to_row(entity), KINDS[type(entity)]
        where = [kind.table.c[name] == row[name] for name in kind.key]
        if isinstance(entity, AliasVersion):
            self._is_new(entity)
            self._connection.execute(kind.table.insert().values(row))
        elif before is None:
            self._connection.execute(kind.table.insert().values(row))
        else:
            self._connection.execute(kind.table.update().where(*where).values(row))
        self._now(entity)
        self._audit(action, *place(entity), None if before is None else told(before), told(entity))

    def remove(self, action: str, entity: Removable) -> None:
        """Of budgets and prices, of which nothing need be kept. Raises KeyError if it is not there."""
        before = _known(self.control, entity)
        if before is None:
            raise KeyError(place(entity)[1])
        kind, row = KINDS[type(entity)], to_row(entity)
        self._connection.execute(kind.table.delete().where(*(kind.table.c[name] == row[name] for name in kind.key)))
        self._gone(entity)
        self._audit(action, *place(entity), told(before), None)

    def note(
        self,
        action: str,
        workspace: str,
        subject: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """An audit row of what no put tells. No secrets, nothing that a provider or caller wrote in confidence."""
        state = tables.state
        counted = state.update().values(audit_sequence=state.c.audit_sequence + 1).returning(state.c.audit_sequence)
        sequence = self._connection.execute(counted).scalar_one()
        entry = AuditEntry(
            sequence, self.now_ns, workspace, self._actor.name, action, subject, before, after, self._actor.origin
        )
        self._connection.execute(tables.audit_log.insert().values(to_row(entry)))

    def alias_versions(self, workspace: str, name: str) -> tuple[AliasVersion, ...]:
        """The newest first; the version after a deletion counts on from it."""
        return reading.alias_versions(self._connection, workspace, name)

    def erase_workspace(self, name: str) -> None:
        """The workspace and all that is its own. Its audit keeps who did what and when; what was in it goes.
        Raises Refusal for the default workspace and for one that is not there."""
        if name == DEFAULT_WORKSPACE:
            raise Refusal(
                "FAILED_PRECONDITION", RefusalReason.INVALID_REQUEST, "The default workspace cannot be deleted."
            )
        if name not in self.control.workspaces:
            raise Refusal("NOT_FOUND", RefusalReason.UNKNOWN_WORKSPACE, f"There is no workspace '{name}'.")
        erased = {}
        for kind in (ProviderKey, DataKey, Token, AliasVersion, Budget):  # keys before what seals them
            table = KINDS[kind].table
            done = self._connection.execute(table.delete().where(table.c.workspace == name))
            erased[table.name.removeprefix("ai_")] = done.rowcount
        workspaces, log = tables.workspaces, tables.audit_log
        self._connection.execute(workspaces.delete().where(workspaces.c.name == name))
        self._connection.execute(log.update().where(log.c.workspace == name).values(before=None, after=None))
        self.control = reading.control(self._connection, self.control.generation)
        self._audit("workspace.delete", name, name, None, {"erased": erased})

    def finish(self) -> None:
        """Counts the generation if anything was changed."""
        if self._changed:
            state = tables.state
            self._connection.execute(state.update().values(generation=state.c.generation + 1))
            self.control = dataclasses.replace(self.control, generation=self.control.generation + 1)

    def _is_new(self, entity: AliasVersion) -> None:
        versions = self.alias_versions(entity.workspace, entity.name)
        if versions and entity.version <= versions[0].version:
            raise Refusal(
                "ABORTED",
                RefusalReason.VERSION_CONFLICT,
                f"The alias '{entity.name}' has version {versions[0].version} already: look at it, and change that.",
                {"version": str(versions[0].version)},
            )

    def _audit(
        self,
        action: str,
        workspace: str,
        subject: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> None:
        self._changed = True
        self.note(action, workspace, subject, before, after)

    def _now(self, entity: Entity) -> None:
        if isinstance(entity, PriceOverride):
            kept = (each for each in self.control.prices if each.price_id != entity.price_id)
            prices = sorted((*kept, entity), key=lambda price: price.price_id)
            self.control = dataclasses.replace(self.control, prices=tuple(prices))
        elif isinstance(entity, AliasVersion) and entity.deleted:
            _held(self.control, entity).pop(_key(entity), None)
        else:
            _held(self.control, entity)[_key(entity)] = entity

    def _gone(self, entity: Removable) -> None:
        if isinstance(entity, PriceOverride):
            kept = tuple(each for each in self.control.prices if each.price_id != entity.price_id)
            self.control = dataclasses.replace(self.control, prices=kept)
        else:
            del _held(self.control, entity)[_key(entity)]


def _copy(control: Control) -> Control:
    """With mappings of its own."""
    mappings = {each.name: getattr(control, each.name) for each in dataclasses.fields(control)}
    own: dict[str, Any] = {name: dict(value) for name, value in mappings.items() if isinstance(value, dict)}
    return dataclasses.replace(control, **own)


def _known(control: Control, entity: Entity) -> Entity | None:
    """What stands there now."""
    if isinstance(entity, PriceOverride):
        return next((each for each in control.prices if each.price_id == entity.price_id), None)
    found: Entity | None = _held(control, entity).get(_key(entity))
    return found


def _held(control: Control, entity: Entity) -> dict[Any, Any]:
    found: dict[Any, Any] = getattr(control, KINDS[type(entity)].held)
    return found


def _key(entity: Entity) -> Any:
    """As `Control` has it."""
    if isinstance(entity, AliasVersion):
        return entity.workspace, entity.name
    return getattr(entity, KINDS[type(entity)].key[0])


def _storable(entity: Entity) -> None:
    """PostgreSQL has no text with NUL, and neither database has one that is not Unicode."""
    for field in dataclasses.fields(entity):
        value = getattr(entity, field.name)
        if isinstance(value, str) and not _is_text(value):
            raise Refusal(
                "INVALID_ARGUMENT",
                RefusalReason.INVALID_REQUEST,
                f"The {field.name.replace('_', ' ')} holds characters that no text has.",
                field_violations=((field.name, "holds NUL or half a character"),),
            )


def _is_text(value: str) -> bool:
    return "\x00" not in value and not any("\ud800" <= each <= "\udfff" for each in value)

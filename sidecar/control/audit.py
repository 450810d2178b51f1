"""The audit: what is told of a change, without secrets, and answers about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sidecar.control import tables
from sidecar.control.query import AuditQuery
from sidecar.control.rows import KINDS, Entity, from_row
from sidecar.core.control import DEFAULT_WORKSPACE, SECRET_FIELDS, AliasVersion, AuditEntry, PriceOverride, Workspace


def entries(connection: sa.Connection, query: AuditQuery) -> tuple[AuditEntry, ...]:
    """The newest first, unless `after_sequence` is asked."""
    log = tables.audit_log.c
    order = log.sequence.desc() if query.after_sequence is None else log.sequence.asc()
    asked = sa.select(tables.audit_log).where(*_conditions(query)).order_by(order).limit(query.limit)
    return tuple(from_row(AuditEntry, row) for row in connection.execute(asked).mappings())


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    log = tables.audit_log.c
    exact = {log.workspace: query.workspace, log.actor: query.actor or None, log.subject: query.subject or None}
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
    if query.action:
        thing = log.action.startswith(f"{query.action}.", autoescape=True)
        found.append(sa.or_(log.action == query.action, thing))
    if query.since_ns is not None:
        found.append(log.at_ns >= query.since_ns)
    if query.until_ns is not None:
        found.append(log.at_ns < query.until_ns)
    if query.before_sequence is not None:
        found.append(log.sequence < query.before_sequence)
    if query.after_sequence is not None:
        found.append(log.sequence > query.after_sequence)
    return found


def told(entity: Entity) -> dict[str, Any]:
    """The entity's fields as JSON has them, without those that hold secrets."""
    names = [each.name for each in dataclasses.fields(entity) if each.name not in SECRET_FIELDS]
    return {name: _plain(getattr(entity, name)) for name in names}


def _plain(value: Any) -> Any:
    match value:
        case frozenset():
            return sorted(map(str, value))
        case tuple() | list():
            return [_plain(each) for each in value]
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case str():
            return str(value)
    return value


def place(entity: Entity) -> tuple[str, str]:
    """(workspace, subject) of what was done to it. Prices are everybody's: their changes stand in the operator's."""
    subject = entity.name if isinstance(entity, AliasVersion) else getattr(entity, KINDS[type(entity)].key[0])
    match entity:
        case PriceOverride():
            return DEFAULT_WORKSPACE, subject
        case Workspace():
            return entity.name, subject
        case _:
            return entity.workspace, subject

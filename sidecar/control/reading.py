"""The whole control plane out of the tables."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from sidecar.control import tables
from sidecar.control.rows import KINDS, from_row
from sidecar.core.control import (
    AliasVersion,
    Budget,
    Control,
    DataKey,
    PriceOverride,
    ProviderKey,
    Token,
    Workspace,
)

E = TypeVar("E")


class Position(NamedTuple):
    """How far the store is: both rise, and tell whoever looks that something has come."""

    generation: int
    audit_sequence: int


def position(connection: sa.Connection, *, lock: bool = False) -> Position:
    """`lock`: until the transaction ends nobody else writes (SQLite's writers are locked from their beginning)."""
    asked = sa.select(tables.state.c.generation, tables.state.c.audit_sequence)
    return Position(*connection.execute(asked.with_for_update() if lock else asked).one())


def control(connection: sa.Connection, number: int) -> Control:
    """`number`: its generation."""
    return Control(
        number,
        workspaces={each.name: each for each in _all(connection, Workspace)},
        tokens={each.token_id: each for each in _all(connection, Token)},
        keys={each.key_id: each for each in _all(connection, ProviderKey)},
        data_keys={each.data_key_id: each for each in _all(connection, DataKey)},
        aliases={(each.workspace, each.name): each for each in _newest(connection) if not each.deleted},
        budgets={each.budget_id: each for each in _all(connection, Budget)},
        prices=tuple(sorted(_all(connection, PriceOverride), key=lambda price: price.price_id)),
    )


def alias_versions(connection: sa.Connection, workspace: str, name: str) -> tuple[AliasVersion, ...]:
    """The newest first, deletions too."""
    table = tables.model_aliases
    asked = (
        sa.select(table).where(table.c.workspace == workspace, table.c.name == name).order_by(table.c.version.desc())
    )
    return _read(connection, AliasVersion, asked)


def _all(connection: sa.Connection, kind: type[E]) -> tuple[E, ...]:
    """In the order of their keys."""
    table = KINDS[kind].table
    return _read(connection, kind, sa.select(table).order_by(*table.primary_key))


def _newest(connection: sa.Connection) -> tuple[AliasVersion, ...]:
    table, other = tables.model_aliases, tables.model_aliases.alias()
    newest = (
        sa.select(sa.func.max(other.c.version))
        .where(other.c.workspace == table.c.workspace, other.c.name == table.c.name)
        .scalar_subquery()
    )
    return _read(connection, AliasVersion, sa.select(table).where(table.c.version == newest))


def _read(connection: sa.Connection, kind: type[E], asked: sa.Select[Any]) -> tuple[E, ...]:
    return tuple(from_row(kind, row) for row in connection.execute(asked).mappings())

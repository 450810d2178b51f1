"""The control store: one transaction a change, one generation a change. Blocking; the plane calls it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from sidecar.control import audit, reading, tables
from sidecar.control.change import Change
from sidecar.control.database import Conflict, Database
from sidecar.control.errors import CannotOpen, StoreUnavailable
from sidecar.control.query import AuditQuery
from sidecar.control.schema import migrate
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, AliasVersion, AuditEntry, Control

T = TypeVar("T")
TRIES = 5
"""Of a change that other writers keep from being made."""


class Position(NamedTuple):
    """How far the store is: both rise, and tell whoever looks that something has come."""

    generation: int
    audit_sequence: int


class ControlStore:
    """May be used from several threads."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Opens and migrates. Raises CannotOpen (StoreTooNew)."""
        self._clock = clock
        self._database = Database(url)
        try:
            migrate(self._database, clock.wall_ns())
        except StoreUnavailable as error:
            self._database.close()
            raise CannotOpen(_cannot(self._database, error)) from None
        except BaseException:
            self._database.close()
            raise

    def position(self) -> Position:
        """Raises StoreUnavailable, as all of these do."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(tables.state.c.generation, tables.state.c.audit_sequence)).one()
        return Position(*found)

    def generation(self) -> int:
        return self.position().generation

    def read(self) -> Control:
        with self._database.reading() as connection:
            return reading.control(connection, reading.generation(connection))

    def change(self, actor: Actor, do: Callable[[Change], T]) -> T:
        """All of what `do` puts, or nothing if it raises. `do` may be called again, on what others have changed."""
        for _ in range(TRIES):
            with suppress(Conflict):
                return self._changed(actor, do)
        raise StoreUnavailable("too many others are writing")

    def audit(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        with self._database.reading() as connection:
            return audit.entries(connection, query)

    def alias_versions(self, workspace: str, name: str) -> tuple[AliasVersion, ...]:
        """The newest first, deletions too."""
        with self._database.reading() as connection:
            return reading.alias_versions(connection, workspace, name)

    def replace_providers(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What stands in `ai_providers`, for people: no change of the control plane, and not audited."""
        with self._database.writing() as connection:
            reading.generation(connection, lock=True)
            connection.execute(tables.providers.delete())
            if rows:
                connection.execute(tables.providers.insert(), list(rows))

    def close(self) -> None:
        self._database.close()

    def _changed(self, actor: Actor, do: Callable[[Change], T]) -> T:
        with self._database.writing() as connection:
            change = Change(connection, actor, self._clock.wall_ns())
            done = do(change)
            change.finish()
        return done


def _cannot(database: Database, error: StoreUnavailable) -> str:
    if database.path:
        return (
            f"The control store {database.name} cannot be read: {error}. Put back a copy of it (docs/control-plane.md),"
            " or move it away to begin with an empty one: then workspaces, tokens and keys are to be made again."
        )
    return (
        f"The control store {database.name} does not answer: {error}. Start PostgreSQL, or correct "
        "TAXIMETER_CONTROL_URL; without it this sidecar does not know who may call."
    )

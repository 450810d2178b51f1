"""The control store: one transaction a change, one generation a change. Blocking; the plane calls it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa

from sidecar.control import audit, reading, tables
from sidecar.control.change import Change
from sidecar.control.database import Conflict, Database
from sidecar.control.errors import CannotOpen, StoreUnavailable
from sidecar.control.query import AuditQuery
from sidecar.control.reading import Position
from sidecar.control.schema import migrate
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING, Actor, AliasVersion, AuditEntry, Control

T = TypeVar("T")
TRIES = 5
"""Of a change that other writers keep from being made."""


class ControlStore:
    """May be used from several threads."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Opens and migrates. Raises CannotOpen (StoreTooNew)."""
        self._clock = clock
        self._newest: tuple[Position | None, Control] = None, NOTHING
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
            return reading.position(connection)

    def generation(self) -> int:
        return self.position().generation

    def read(self) -> Control:
        return self.snapshot()[1]

    def snapshot(self) -> tuple[Position, Control]:
        with self._database.reading() as connection:
            position = reading.position(connection)
            return position, self._at(position, connection)

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
            reading.position(connection, lock=True)
            connection.execute(tables.providers.delete())
            if rows:
                connection.execute(tables.providers.insert(), list(rows))

    def close(self) -> None:
        self._database.close()

    def _changed(self, actor: Actor, do: Callable[[Change], T]) -> T:
        with self._database.writing() as connection:
            control = self._at(reading.position(connection, lock=True), connection)
            change = Change(connection, control, actor, self._clock.wall_ns())
            done = do(change)
            change.finish()
            position = reading.position(connection)
        self._newest = position, change.control
        return done

    def _at(self, position: Position, connection: sa.Connection) -> Control:
        """What is in the store: read once, as long as nobody else changes it."""
        known, control = self._newest
        if known != position:
            control = reading.control(connection, position.generation)
            self._newest = position, control
        return control


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

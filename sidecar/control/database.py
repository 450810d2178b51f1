"""SQLite or PostgreSQL by URL: connections, transactions, and their failures in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from sidecar.control.copying import path_of
from sidecar.control.errors import CannotOpen, StoreUnavailable

BUSY_MS = 5000
"""How long a writer waits for another."""
CONNECT_S = 5
_CONFLICTS = frozenset({"40001", "40P01"})
"""PostgreSQL: serialization failure, deadlock. The transaction may be tried again."""
_POSTGRESQL = {
    "connect_timeout": CONNECT_S,
    "application_name": "taximeter",
    "options": f"-c lock_timeout={BUSY_MS} -c statement_timeout={2 * BUSY_MS}",
    # A server that has vanished is noticed, instead of being waited for until TCP gives up.
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 2000 * CONNECT_S,
}


class Conflict(StoreUnavailable):
    """Another transaction came first; this one left no trace, and may be tried again."""


class Database:
    """`url`: "sqlite:///<path>" or "postgresql://user:password@host/name"."""

    def __init__(self, url: str) -> None:
        """Raises CannotOpen. Nothing is connected yet."""
        self.path = path_of(url)
        """Of the SQLite file; None in PostgreSQL."""
        self._engine = _sqlite(self.path) if self.path else _postgresql(url)

    @property
    def name(self) -> str:
        """For messages: no password."""
        return str(self.path or self._engine.url.set(query={}))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One state of everything, whatever others write meanwhile. Raises StoreUnavailable."""
        with self._connected() as connection:
            if not self.path:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction; committed at the end. Raises StoreUnavailable, Conflict."""
        with self._connected() as connection:
            transaction = connection.execution_options(writes=True).begin()
            try:
                yield connection
            except BaseException:
                with suppress(DBAPIError):
                    transaction.rollback()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                raise _told(error, uncertain=True) from None

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except NoConnection:
            raise StoreUnavailable("no connection was free") from None
        except (OperationalError, InterfaceError) as error:
            raise _told(error) from None
        except DBAPIError as error:
            # SQLite's plain DatabaseError is a damaged file; its and PostgreSQL's other kinds are our own mistakes.
            if not error.connection_invalidated and type(error) is not DatabaseError:
                raise
            raise _told(error) from None


def _sqlite(path: Path) -> sa.Engine:
    _make(path)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), pool_timeout=BUSY_MS / 1000)
    event.listen(engine, "connect", _prepared)
    event.listen(engine, "begin", _begun)
    return engine


def _postgresql(text: str) -> sa.Engine:
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise CannotOpen("TAXIMETER_CONTROL_URL is neither sqlite:///<path> nor postgresql://...") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise CannotOpen(f"TAXIMETER_CONTROL_URL names {url.get_backend_name()}: only sqlite and postgresql are known.")
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={name: value for name, value in _POSTGRESQL.items() if name not in url.query},
            isolation_level="READ COMMITTED",  # what was committed before the lock was had is seen behind it
            pool_pre_ping=True,
            pool_size=2,
            pool_timeout=CONNECT_S,
        )
    except ModuleNotFoundError:
        raise CannotOpen(
            "TAXIMETER_CONTROL_URL names a PostgreSQL database, and its driver is not installed: "
            "`pip install 'taximeter[postgres]'`."
        ) from None


def _make(path: Path) -> None:
    """An empty file of mode 0600, so that SQLite's files beside it get that mode too."""
    try:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
    except OSError as error:
        raise CannotOpen(
            f"The control store {path} cannot be made or guarded: {error.strerror}. It must stand in a folder that "
            "this user can write, and belong to this user."
        ) from None


def _prepared(connection: Any, _record: object) -> None:
    """SQLAlchemy says when a transaction begins, not sqlite3, which would leave reads outside of it."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is overwritten
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begun(connection: sa.Connection) -> None:
    """A writer locks at once: one that began by reading could not go on once another had written."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _told(error: DBAPIError, *, uncertain: bool = False) -> StoreUnavailable:
    if getattr(error.orig, "sqlstate", None) in _CONFLICTS:
        return Conflict("others were at it at the same time")
    # Its first line: psycopg's says host and user; neither driver's holds the password.
    why = str(error.orig).strip().splitlines()
    return StoreUnavailable(why[0] if why else type(error.orig).__name__, uncertain=uncertain)

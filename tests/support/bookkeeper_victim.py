"""The real bookkeeper, which is killed by SIGKILL just before a statement of its own that a test names.

`python -m tests.support.bookkeeper_victim rolling.roll 12`: the twelfth of one run of `roll` in
`sidecar.bookkeeper.rolling`, BEGIN and COMMIT counted too. Without a name it lives until somebody else kills it. Days
are summed up, and age takes its calls, several times a second rather than once a minute.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb

from sidecar.bookkeeper import bookkeeping, ledger, rolling
from sidecar.bookkeeper.ledger_connection import Limits, connect
from sidecar.cli import main

EVERY_S = 0.2


class Fate:
    """Counts the statements of one function, from one thread at a time, and kills at the last of them."""

    def __init__(self, function: str, last: int) -> None:
        """`function`: module.name of this room."""
        self._module, _, self._name = f"sidecar.bookkeeper.{function}".rpartition(".")
        self._last = last
        self._count = 0
        self._lock = threading.Lock()
        self._run: FrameType | None = None

    def statement(self) -> None:
        run = self._beneath(sys._getframe())
        if run is None:
            return
        with self._lock:
            self._count = self._count + 1 if run is self._run else 1
            self._run = run
            if self._count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)

    def _beneath(self, frame: FrameType | None) -> FrameType | None:
        """The run of that function which this statement is of."""
        while frame and (frame.f_code.co_name != self._name or frame.f_globals["__name__"] != self._module):
            frame = frame.f_back
        return frame


class Doomed:
    """A connection, and the cursors of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fate: Fate) -> None:
        self._connection = connection
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, *statement: Any) -> Doomed:
        self._fate.statement()
        self._connection.execute(*statement)
        return self

    def cursor(self) -> Doomed:
        return Doomed(self._connection.cursor(), self._fate)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fate = Fate(sys.argv[1], int(sys.argv[2]))

        def doomed(path: Path, limits: Limits) -> Any:
            return Doomed(connect(path, limits), fate)

        vars(ledger)["connect"] = doomed
    rolling.EVERY_S = bookkeeping._TIDY_EVERY_S = EVERY_S
    sys.argv = ["taximeter", "bookkeeper"]
    main()

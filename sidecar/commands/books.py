"""`taximeter backup | restore | rebuild | compact`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich import filesize

from sidecar.cli import Exit
from sidecar.commands.context import configuration, err, fail, out
from sidecar.commands.show import count

if TYPE_CHECKING:
    from sidecar.bookkeeper.maintenance import Remade

Result = TypeVar("Result")


def backup(to: Path) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    made = _tried(lambda: maintenance.backup(home, to))
    ledger = f"ledger of {filesize.decimal(made.ledger_bytes)}" if made.ledger_bytes else "no ledger yet"
    out.print(f"{made.folder}: {ledger}, {made.segments} journal segments. To use it: taximeter restore {to}")
    return Exit.OK


def restore(source: Path) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried(lambda: maintenance.restore(home, source)))


def rebuild() -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried(lambda: maintenance.rebuild(home)))


def compact() -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried(lambda: maintenance.compact(home)))


def _tried(work: Callable[[], Result]) -> Result:
    from sidecar.bookkeeper.copying import MaintenanceFailed
    from sidecar.bookkeeper.lock import AlreadyRunning

    try:
        return work()
    except (MaintenanceFailed, AlreadyRunning, OSError) as failed:
        fail(str(failed))


def _told(made: Remade) -> int:
    before, after = filesize.decimal(made.bytes_before), filesize.decimal(made.bytes_after)
    out.print(f"{count(made.calls)} calls in the ledger ({made.kept:,} kept from the one before); {before} → {after}")
    if made.set_aside:
        err.print(f"the ledger before could not be read; it is kept as {made.set_aside}", markup=False, style="yellow")
    if made.missing:
        gone = ", ".join(made.missing)
        err.print(f"calls of these sidecars are in no book any more: {gone}", markup=False, style="red")
        return Exit.FAILED
    return Exit.OK

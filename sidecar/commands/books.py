"""`taximeter backup | restore | rebuild | compact`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich import filesize

from sidecar.cli import Exit
from sidecar.commands.context import configuration, err, fail, out, print_json
from sidecar.commands.show import count

if TYPE_CHECKING:
    from sidecar.bookkeeper.maintenance import Remade

Result = TypeVar("Result")


def backup(to: Path, *, as_json: bool) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance
    from sidecar.control.copying import copy, path_of

    settings = configuration().settings
    if not settings.home.exists():
        fail(f"there are no books in {settings.home}")
    control, control_bytes = path_of(settings.control_url), 0

    def copy_control(folder: Path) -> None:
        nonlocal control_bytes
        if control is not None and control.exists():
            control_bytes = copy(control, folder / "control.db")

    made = _tried("copying the books", lambda: maintenance.backup(settings.home, to, copy_control))
    if as_json:
        print_json({**dataclasses.asdict(made), "control_bytes": control_bytes})
        return Exit.OK
    ledger = f"ledger of {filesize.decimal(made.ledger_bytes)}" if made.ledger_bytes else "no ledger yet"
    kept = "the control store" if control_bytes else "no control store"
    out.print(f"{made.folder}: {ledger}, {made.segments} journal segments, {kept}. To use it: taximeter restore {to}")
    if control is None:
        err.print("the control store is in PostgreSQL, and is not in this backup: use pg_dump", style="yellow")
    return Exit.OK


def restore(source: Path, *, as_json: bool) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried("restoring the books", lambda: maintenance.restore(home, source)), as_json=as_json)


def rebuild(*, as_json: bool) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried("reading the journal", lambda: maintenance.rebuild(home)), as_json=as_json)


def compact(*, as_json: bool) -> int:
    """Returns an exit code."""
    from sidecar.bookkeeper import maintenance

    home = configuration().settings.home
    return _told(_tried("copying the ledger", lambda: maintenance.compact(home)), as_json=as_json)


def _tried(doing: str, work: Callable[[], Result]) -> Result:
    """Shows on a terminal that it goes on."""
    from sidecar.bookkeeper.copying import MaintenanceFailed
    from sidecar.bookkeeper.lock import AlreadyRunning

    try:
        with err.status(f"{doing} ..."):
            return work()
    except AlreadyRunning as held:
        fail(str(held), Exit.USAGE)
    except (MaintenanceFailed, OSError) as failed:
        fail(str(failed))


def _told(made: Remade, *, as_json: bool) -> int:
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        before, after = filesize.decimal(made.bytes_before), filesize.decimal(made.bytes_after)
        kept = f"{made.kept:,} kept from the one before"
        out.print(f"{count(made.calls)} calls in the ledger ({kept}); {before} → {after}")
    if made.set_aside:
        err.print(f"the ledger before could not be read; it is kept as {made.set_aside}", markup=False, style="yellow")
        err.print("costs that were priced anew are as first booked: `taximeter prices rerate` again", style="yellow")
    if made.missing:
        gone = ", ".join(made.missing)
        err.print(f"calls of these sidecars are in no book any more: {gone}", markup=False, style="red")
        return Exit.FAILED
    return Exit.OK

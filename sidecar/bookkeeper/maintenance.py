"""Backup, restore, rebuild, compact: `taximeter backup | restore | rebuild | compact`.

All but `backup` need the bookkeeper stopped, and hold its lock. Each makes its result beside, syncs it and renames
it into place, so that a kill at any moment leaves the books as they were, or as they shall be. None loses a call
that the books had: what is new comes from the journal, and what the journal has no longer from the old ledger.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from sidecar.bookkeeper import erased, files, ledger_carry, lock
from sidecar.bookkeeper.batch import At
from sidecar.bookkeeper.copying import MaintenanceFailed, copy_journal, copy_ledger, copy_with_log, log_of
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger, Standing
from sidecar.bookkeeper.ledger_connection import LedgerBusy, LedgerFault, Limits
from sidecar.bookkeeper.ledger_schema import LedgerTooNew
from sidecar.bookkeeper.retention import STEP_CALLS
from sidecar.core.clock import Clock
from sidecar.journal import sidecars
from sidecar.journal.segments import numbers

LEDGER, JOURNAL = "ledger.duckdb", "journal"


@dataclass(frozen=True, slots=True)
class Backup:
    folder: Path
    ledger_bytes: int
    """0: there was no ledger yet."""
    segments: int
    """Of journal."""


@dataclass(frozen=True, slots=True)
class Remade:
    """What a ledger was made of."""

    calls: int
    kept: int
    """Of them, taken over from the ledger before because the journal does not have them any more."""
    bytes_before: int
    bytes_after: int
    set_aside: Path | None
    """The ledger before, kept because it could not be read."""
    missing: tuple[str, ...]
    """Sidecars with calls that neither a readable ledger nor the journal has any more."""


def backup(home: Path, to: Path, also: Callable[[Path], object] = lambda _folder: None) -> Backup:
    """Ledger and journal of `home` as the new folder `to`, while the bookkeeper runs or not. `also` puts in what is no
    book, before the folder is there.

    Raises MaintenanceFailed, OSError.
    """
    if to.exists():
        raise MaintenanceFailed(f"{to} is already there: name a folder that is not")
    beside = to.with_name(f".{to.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    try:
        # The ledger first: the journal then has at least what the ledger has.
        size = copy_ledger(home, beside / LEDGER)
        segments = copy_journal(home / JOURNAL, beside / JOURNAL)
        erased.carry(home, beside)
        also(beside)
        files.replace(beside, to)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Backup(to, size, segments)


def restore(home: Path, source: Path) -> Remade:
    """The ledger of a backup, brought up to date with every journal there is: the backup's and the home's.

    Raises MaintenanceFailed, AlreadyRunning, OSError.
    """
    if not (source / LEDGER).is_file():
        raise MaintenanceFailed(f"{source} is no backup: there is no {LEDGER} in it")
    with lock.held(home, "restores a backup"), _explained():
        copy_journal(source / JOURNAL, home / JOURNAL)
        erased.carry(source, home)
        return _remake(home, source / LEDGER)


def rebuild(home: Path) -> Remade:
    """The ledger anew from the journal. Calls that only the old ledger has are kept.

    Raises MaintenanceFailed, AlreadyRunning, OSError.
    """
    with lock.held(home, "rebuilds the ledger"), _explained():
        return _remake(home, None)


def compact(home: Path) -> Remade:
    """The ledger's rows in a new file, without the holes of the old one.

    Raises MaintenanceFailed, AlreadyRunning, OSError.
    """
    with lock.held(home, "compacts the ledger"), _explained():
        if not (home / LEDGER).is_file():
            raise MaintenanceFailed(f"there is no ledger in {home} yet")
        return _remake(home, None, journal=False)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (LedgerTooNew, LedgerFault) as error:
        raise MaintenanceFailed(str(error)) from error


def _remake(home: Path, base: Path | None, *, journal: bool = True) -> Remade:
    """`base`, the journal, and the rest of the ledger that is there, in that ledger's place."""
    old = home / LEDGER
    before = files.size_of(old)
    with _fresh(home, base) as new:
        missing = _fill(new, home / JOURNAL if journal else None, _reached(old))
        kept, trouble = _kept(old, new)
        if trouble and not journal:
            raise MaintenanceFailed(f"{trouble}. `taximeter rebuild` makes it anew from the journal.")
        if journal:  # what the ledger before had not come to: late calls of days that are only sums by now, too
            _fill(new, home / JOURNAL)
        calls = _finish(new)
        aside = _set_aside(old) if trouble else None
        files.replace(new, old)
    return Remade(calls, kept, before, files.size_of(old), aside, missing if trouble or not before else ())


@contextmanager
def _fresh(home: Path, base: Path | None) -> Iterator[Path]:
    """A place for the new ledger, with a copy of `base`; what is left of it afterwards was not wanted."""
    new = home / f".{LEDGER}.new"
    _remove(new)
    try:
        if base:
            copy_with_log(base, new)
        yield new
    finally:
        _remove(new)


def _remove(ledger: Path) -> None:
    for path in (ledger, log_of(ledger)):
        path.unlink(missing_ok=True)


def _reached(old: Path) -> Mapping[str, At]:
    """By sidecar, up to where its journal is in the ledger that is there; of one that cannot be read, nothing."""
    if old.exists():
        with suppress(LedgerFault), closing(Ledger(old)) as ledger:
            return {name: standing.at for name, standing in ledger.standings().items()}
    return {}


def _fill(new: Path, journal: Path | None, upto: Mapping[str, At] | None = None) -> tuple[str, ...]:
    """What the journal has from where `new` stands on, of some sidecars only `upto` a place. Returns the sidecars of
    whose journal a part is gone."""
    with closing(Ledger(new)) as ledger:
        if journal is None:
            return ()
        standings = ledger.standings()
        missing = tuple(each for each in sidecars(journal) if _gap(journal / each, standings.get(each, Standing())))
        log = structlog.get_logger("maintenance")
        ingest = Ingest(journal, ledger, log, Clock(), marks=False, upto=upto)
        while ingest.turn():
            pass
        return missing


def _gap(own: Path, standing: Standing) -> bool:
    """Whether segments between where the ledger stands and the journal's first one are gone."""
    first = next(iter(numbers(own)), 0)
    return not standing.closed and first > max(standing.at[0], 1)


def _kept(old: Path, new: Path) -> tuple[int, LedgerFault | None]:
    """Carries over what only `old` has; its log is folded in by the way. Not readable: why."""
    if not old.exists():
        return 0, None
    try:
        with closing(Ledger(old)) as ledger:
            ledger.checkpoint()
        return ledger_carry.carry_over(old, new, Limits()), None
    except LedgerBusy:
        raise
    except LedgerFault as fault:
        return 0, fault


def _finish(new: Path) -> int:
    """All in one file, on disk. Returns the number of calls in it."""
    with closing(Ledger(new)) as ledger:
        while ledger.erase_calls(STEP_CALLS):  # a backup may have what was deleted since
            pass
        ledger.checkpoint()
        calls = ledger.count_calls()
    files.sync_file(new)
    return calls


def _set_aside(old: Path) -> Path:
    """A second name for a ledger that cannot be read; its log goes with it."""
    aside = old.with_name(f"{old.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    with suppress(FileNotFoundError):
        log_of(old).replace(log_of(aside))
    aside.hardlink_to(old)
    return aside

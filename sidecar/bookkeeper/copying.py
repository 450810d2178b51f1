"""Copies of the books, from a home that is in use or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import grpc

from sidecar.bookkeeper import files, lock
from sidecar.journal import sidecars
from sidecar.journal.segments import numbers, path_of
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc


class MaintenanceFailed(Exception):
    """Nothing has changed. The message says why and what to do."""


def log_of(ledger: Path) -> Path:
    """DuckDB's write-ahead log."""
    return ledger.with_name(f"{ledger.name}.wal")


def copy_ledger(home: Path, to: Path) -> int:
    """From the running bookkeeper, or from the file that nobody has open. Returns its bytes, 0 if there is none."""
    try:
        with lock.held(home, "makes a backup"):
            if not (home / to.name).exists():
                return 0
            copy_with_log(home / to.name, to)
    except lock.AlreadyRunning as held:
        _copy_from_bookkeeper(home, to, held)
    return files.size_of(to)


def copy_with_log(ledger: Path, to: Path) -> None:
    """The file, and its log if there is one: together they are the ledger. The log last."""
    files.copy_file(ledger, to)
    if log_of(ledger).exists():
        files.copy_file(log_of(ledger), log_of(to))


def copy_journal(source: Path, to: Path) -> int:
    """Segments of `source` that `to` does not have; returns how many. One that is retired meanwhile is not missed."""
    copied = 0
    for sidecar_id in sidecars(source):
        for number in numbers(source / sidecar_id):
            own = path_of(to / sidecar_id, number)
            if not own.exists():
                own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                copied += _copy_segment(path_of(source / sidecar_id, number), own)
    return copied


def _copy_segment(source: Path, to: Path) -> bool:
    try:
        files.copy_file(source, to)
    except FileNotFoundError:
        return False
    return True


def _copy_from_bookkeeper(home: Path, to: Path, held: lock.AlreadyRunning) -> None:
    with grpc.insecure_channel(f"unix:{home / 'bookkeeper.sock'}") as channel:
        try:
            parts = ledger_pb2_grpc.LedgerServiceStub(channel).Backup(ledger_pb2.BackupRequest())
            with to.open("xb") as writing:
                for part in parts:
                    writing.write(part.data)
                writing.flush()
                os.fsync(writing.fileno())
        except grpc.RpcError as error:
            said = cast("grpc.Call", error).details()
            raise MaintenanceFailed(f"{held}; and it gave no copy: {said}") from None

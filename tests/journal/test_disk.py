"""A disk that is really full: a file system of a few hundred KiB, or a limit on file size where none can be mounted."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.core.clock import Clock
from sidecar.journal import JournalFull, JournalPolicy, recover
from tests.support.journal import SIDECAR, a_record, a_start, abandoned, entries, finishes, open_journal


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_on_a_full_disk_calls_are_refused_open_ones_finish_and_the_rest_is_recovered(small_disk: Path) -> None:
    journal = open_journal(small_disk, JournalPolicy(segment_bytes=100_000))
    done: list[int] = []

    async def call_without_end() -> None:
        while True:
            opened = [journal.begin() for _ in range(4)]
            for seq in opened:
                journal.started(a_start(seq))
            await asyncio.gather(*(journal.finished(a_record(seq)) for seq in opened))
            done.extend(opened)

    with pytest.raises(JournalFull, match="No space left on device"):
        await call_without_end()
    assert journal.healthy
    assert len(done) > 500
    open_then = list(range(done[-1] + 1, done[-1] + 1 + journal.open_calls))
    await asyncio.gather(*(journal.finished(a_record(seq)) for seq in open_then))
    await journal.close()
    assert [seq for seq, _ in finishes(entries(small_disk / SIDECAR))] == [*done, *open_then]


async def test_a_full_disk_leaves_room_to_recover_what_was_open(small_disk: Path) -> None:
    journal = open_journal(small_disk, JournalPolicy(segment_bytes=100_000))
    opened = [journal.begin() for _ in range(5)]
    for seq in opened:
        journal.started(a_start(seq))
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    await journal.close()
    assert recover(small_disk, Clock(), abandoned) == 5
    assert len(finishes(entries(small_disk / SIDECAR))) == 5


async def test_a_limit_on_file_size_is_a_full_disk_too(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(JournalFull, match="File too large"):
            open_journal(tmp_path, JournalPolicy(segment_bytes=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

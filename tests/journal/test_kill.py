"""Kill -9 of a real writer at random moments: what it said it had, is in the book, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sidecar.core.clock import Clock
from sidecar.journal import Entry, Tail, recover
from tests.support.journal import abandoned, drain, entries, finishes, starts

ROOT = Path(__file__).parents[2]
KILLS = 10


def kill_in_the_middle(directory: Path, sidecar_id: str, after_lines: int) -> tuple[list[str], list[Entry], Tail]:
    """What a writer said until it was killed, and a reader that had read beside it all the while."""
    tail, found = Tail(directory / sidecar_id), list[Entry]()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    command = [sys.executable, "-m", "tests.support.journal_victim", str(directory), sidecar_id]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        said = []
        for line in victim.stdout:
            said.append(line.strip())
            if len(said) % 50 == 0:
                found += tail.read(max_bytes=5000)
            if len(said) == after_lines:
                victim.kill()
    return said, found, tail


def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20)
    lost = doubled = open_calls = acknowledged = segments = 0
    for kill in range(KILLS):
        sidecar_id = f"victim-{kill}"
        said, beside, tail = kill_in_the_middle(tmp_path, sidecar_id, chance.randrange(1, 3000))
        recovered = recover(tmp_path, Clock(), abandoned)
        found = entries(tmp_path / sidecar_id)

        booked = Counter(seq for seq, _ in finishes(found))
        status = dict(finishes(found))
        acked = [int(line[2:]) for line in said if line.startswith("a")]
        started = {int(line[2:]) for line in said if line.startswith("s")}
        lost += sum(status.get(seq) != "ok" for seq in acked)
        doubled += sum(count > 1 for count in booked.values())
        assert started <= booked.keys()
        assert set(starts(found)) == booked.keys()
        assert sum(value == "abandoned" for value in status.values()) == recovered
        assert beside + drain(tail) == found
        assert tail.corrupt_frames == 0
        open_calls += recovered
        acknowledged += len(acked)
        segments += len(list((tmp_path / sidecar_id).glob("*.journal")))

    print(
        f"\n{KILLS} kills, {segments} segments: acknowledged {acknowledged}, lost {lost}, doubled {doubled}, "
        f"abandoned {open_calls}"
    )
    assert (lost, doubled) == (0, 0)
    assert open_calls > 0
    assert recover(tmp_path, Clock(), abandoned) == 0

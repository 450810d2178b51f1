"""A sidecar's journal under load, to be killed: `python -m tests.support.journal_victim DIRECTORY SIDECAR_ID`.

Prints "s SEQ" once a start was written, "a SEQ" once its finish is durable.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from sidecar.journal import Journal
from tests.support.journal import a_record, a_start, open_journal


async def call_without_end(journal: Journal, chance: random.Random) -> None:
    while True:
        seq = journal.begin()
        for _ in range(chance.choice((1, 1, 2))):
            journal.started(a_start(seq, sidecar_id=journal.sidecar_id))
            os.write(1, f"s {seq}\n".encode())
            await asyncio.sleep(chance.choice((0, 0.001, 0.003)))
        await journal.finished(a_record(seq, sidecar_id=journal.sidecar_id))
        os.write(1, f"a {seq}\n".encode())


async def main(directory: Path, sidecar_id: str) -> None:
    journal = open_journal(directory, sidecar_id=sidecar_id)
    await asyncio.gather(*(call_without_end(journal, random.Random(place)) for place in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

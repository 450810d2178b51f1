"""kill -9 of real processes under load: no acknowledged call lost, none doubled, the rest told as they were."""

import asyncio

import pytest

from tests.support.chaos import reckon, storm
from tests.support.stack import stack


def prove(kills: int, workers: int, pause_s: tuple[float, float], seed: int) -> None:
    with stack(TAXIMETER_JOURNAL_SEGMENT="1MiB") as running_stack:
        running_stack.provider()
        running = {"bookkeeper": running_stack.bookkeeper(), "sidecar": running_stack.sidecar()}
        tally, killed = asyncio.run(
            storm(running_stack, running, kills=kills, workers=workers, seed=seed, pause_s=pause_s)
        )
        # One more incarnation recovers what the last kill left open; then everything ends well.
        assert running["sidecar"].stop() == 0
        found = reckon(running_stack, tally)
        assert running["bookkeeper"].stop() == 0
        print(
            f"killed {dict(killed)}; callers sent {len(tally.sent)}, acknowledged {found.acknowledged}; "
            f"rows {found.rows} {found.statuses}; lost {len(found.lost)}, doubled {len(found.doubled)}, "
            f"asked but unbooked {len(found.unbooked)}, still open {found.open_left}"
        )
    assert found.acknowledged > 50
    assert found.lost == []
    assert found.doubled == []
    assert found.unbooked == []
    assert found.open_left == 0


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("heavy")
def test_nothing_is_lost_or_doubled_by_a_few_kills() -> None:
    prove(kills=5, workers=4, pause_s=(0.3, 1.2), seed=8)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled_by_sixty_kills() -> None:
    prove(kills=60, workers=16, pause_s=(0.2, 2.5), seed=60)

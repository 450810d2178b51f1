"""Bucket: what is there, what is owed, and until when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.bucket import Bucket

param = pytest.param


@pytest.mark.parametrize(
    ("taken", "after_s", "need", "wait_s"),
    [
        param(0, 0, 60, 0, id="a-full-one-gives-all-at-once"),
        param(60, 0, 1, 1, id="an-empty-one-refills-by-its-rate"),
        param(60, 0.4, 1, 0.6, id="time-counts"),
        param(60, 600, 60, 0, id="and-fills-it-no-further-than-it-holds"),
        param(60, 600, 61, 0, id="more-than-it-holds-is-there-when-it-is-full"),
        param(30, 0, 90, 30, id="and-waited-for-until-then"),
        param(63, 0, 1, 4, id="what-is-owed-is-waited-for-first"),
        param(10_000, 0, 1, 61, id="no-more-is-ever-owed-than-it-holds"),
        param(-50, 0, 60, 0, id="what-is-given-back-does-not-overflow"),
    ],
)
def test_wait(taken: float, after_s: float, need: float, wait_s: float) -> None:
    bucket = Bucket(60, per_s=1, now=0)
    bucket.take(taken, 0)
    assert bucket.wait_s(need, after_s) == pytest.approx(wait_s)


steps = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60)


@given(steps)
def test_who_waits_as_told_never_passes_the_rate(steps: list[tuple[float, int]]) -> None:
    """In no span of time is more given than a bucketful and what has come in meanwhile."""
    bucket, now = Bucket(40, per_s=2, now=0), 0.0
    given_at: list[tuple[float, int]] = []
    for pause_s, amount in steps:
        now += pause_s
        wait_s = bucket.wait_s(amount, now)
        if wait_s <= 5:
            bucket.take(amount, now)
            given_at.append((now + wait_s, amount))
    for first, (start, _) in enumerate(given_at):
        given = 0
        for at, amount in given_at[first:]:
            given += amount
            assert given <= 40 + 2 * (at - start) + 1e-6


@given(steps)
def test_takers_are_served_in_the_order_in_which_they_came(steps: list[tuple[float, int]]) -> None:
    bucket, now, last = Bucket(1000, per_s=2, now=0, level=0), 0.0, 0.0
    for pause_s, amount in steps[:20]:
        now += pause_s
        served_at = now + bucket.wait_s(amount, now)
        bucket.take(amount, now)
        assert served_at >= last - 1e-6
        last = served_at

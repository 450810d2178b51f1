"""Identifiers of our own making."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core import ids


@given(st.integers(0, (1 << 48) - 2), st.integers(0, (1 << 80) - 1))
def test_ulids_sort_by_time(millisecond: int, chance: int) -> None:
    earlier = ids.ulid(lambda: millisecond * 1_000_000, lambda _bits: chance)
    later = ids.ulid(lambda: (millisecond + 1) * 1_000_000, lambda _bits: 0)
    assert len(earlier) == 26
    assert earlier < later


def test_ulids_do_not_collide() -> None:
    assert len({ids.ulid() for _ in range(10_000)}) == 10_000


def test_trace_and_span_ids_are_never_all_zero() -> None:
    assert ids.trace_id(lambda _bits: 0) == "0" * 31 + "1"
    assert ids.span_id(lambda _bits: 0) == "0" * 15 + "1"

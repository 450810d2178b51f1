"""When providers that are out of service are asked again, on a clock that tests turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.health import Recheck
from sidecar.health.recheck import LONGEST

EVERY_S = 10.0
A = ("", "a")


def asked_at(*, urgent: bool, ok: bool, until_s: int, random: float = 0.5) -> list[int]:
    """Seconds at which a provider is asked that has gone at 0 and answers so."""
    recheck, found = Recheck(lambda: random), []
    for now in range(until_s):
        if recheck.due({A: urgent}, EVERY_S, now):
            found.append(now)
            recheck.answered(A, ok=ok)
    return found


def test_first_an_interval_after_it_has_gone_and_then_every_interval() -> None:
    assert asked_at(urgent=True, ok=False, until_s=45) == [10, 20, 30, 40]


def test_ever_more_rarely_where_no_call_is_kept_from_it() -> None:
    times = asked_at(urgent=False, ok=False, until_s=2000)
    assert times[:5] == [10, 20, 40, 80, 160]
    assert times[-1] - times[-2] == EVERY_S * LONGEST


def test_who_is_back_is_asked_no_more() -> None:
    recheck = Recheck(lambda: 0.5)
    recheck.due({A: True}, EVERY_S, 0)
    assert recheck.due({}, EVERY_S, 100) == []
    assert recheck.due({A: True}, EVERY_S, 200) == [], "gone anew: an interval later"


def test_another_interval_counts_at_once() -> None:
    recheck = Recheck(lambda: 0.5)
    recheck.due({A: True}, 3600.0, 0)
    assert recheck.due({A: True}, EVERY_S, 9) == []
    assert recheck.due({A: True}, EVERY_S, 10) == [A]


@given(st.floats(0, 0.999))
def test_back_within_half_a_minute_whatever_the_jitter(random: float) -> None:
    """Also on the safe side of the other bound: never two questions within two thirds of an interval."""
    times = asked_at(urgent=True, ok=False, until_s=300, random=random)
    gaps = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert max(gaps) <= 15
    assert min(gaps) >= 7

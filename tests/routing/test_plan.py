"""plan: order, skips, and what moved a call on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Preference, Strategy, StreamRecovery
from sidecar.core.faults import FallbackReason
from sidecar.routing import Plan, Pool, plan
from tests.support.routes import Sight, Trouble, call, planned

param = pytest.param
OPEN = Trouble(FallbackReason.CIRCUIT_OPEN, "circuit open until 12:00:05Z")
COOLING = Trouble(FallbackReason.RATE_LIMITED, "rate limited until 12:00:02Z", wait_s=2.0)
COOLING_LONG = Trouble(FallbackReason.RATE_LIMITED, "rate limited until 12:01:00Z", wait_s=60.0)
HINT = Trouble(FallbackReason.RATE_LIMITED, "0 of 60 requests left there", wait_s=60.0, firm=False)
FULL = Trouble(FallbackReason.RATE_LIMITED, "3 of 3 requests in flight", wait_s=0.0)
ABC = (planned("a"), planned("b"), planned("c"))


def planned_for(pool: Pool, sight: Sight, turn: int = 0, chance: float = 0.0, **asked: Any) -> Plan:
    return plan(
        pool,
        call(**asked),
        turn=turn,
        chance=chance,
        view=sight,
        price=lambda each, _: PRICES.get(each.target.provider),
    )


PRICES = {"a": 30, "b": 10}


def names(found: Plan) -> str:
    return "".join(each.target.provider for each in found.targets)


@pytest.mark.parametrize(
    ("troubles", "order", "skipped", "moved_on"),
    [
        param({}, "abc", [], None, id="all-well"),
        param({"a": OPEN}, "bc", ["a CIRCUIT_OPEN"], "CIRCUIT_OPEN", id="an-open-first-moves-the-call-on"),
        param({"b": OPEN}, "ac", ["b CIRCUIT_OPEN"], None, id="an-open-later-one-does-not"),
        param({"a": COOLING}, "bca", ["a RATE_LIMITED"], "RATE_LIMITED", id="cooling-goes-last"),
        param({"a": COOLING_LONG}, "bc", ["a RATE_LIMITED"], "RATE_LIMITED", id="and-is-left-out-if-for-long"),
        param({"a": HINT}, "bca", ["a RATE_LIMITED"], "RATE_LIMITED", id="but-not-for-a-hint"),
        param({"a": COOLING, "b": OPEN, "c": OPEN}, "a", ["b CIRCUIT_OPEN", "c CIRCUIT_OPEN"], None,
              id="or-waited-for"),
        param({"a": COOLING_LONG, "b": OPEN, "c": OPEN}, "", ["a RATE_LIMITED", "b CIRCUIT_OPEN", "c CIRCUIT_OPEN"],
              None, id="but-not-for-long"),
        param({"a": HINT, "b": OPEN, "c": OPEN}, "a", ["b CIRCUIT_OPEN", "c CIRCUIT_OPEN"], None,
              id="a-hint-refuses-nobody"),
        param({"a": FULL, "b": OPEN, "c": OPEN}, "a", ["b CIRCUIT_OPEN", "c CIRCUIT_OPEN"], None,
              id="a-place-in-flight-is-waited-for"),
    ],
)  # fmt: skip
def test_trouble(troubles: dict[str, Trouble], order: str, skipped: list[str], moved_on: str | None) -> None:
    found = planned_for(Pool(ABC), Sight(troubles))
    assert names(found) == order
    assert [f"{skip.target.provider} {skip.reason}" for skip in found.skips] == skipped
    assert found.moved_on == moved_on


def test_the_wait_for_the_first_to_come_back_is_known() -> None:
    found = planned_for(Pool(ABC), Sight({"a": OPEN, "b": COOLING_LONG, "c": OPEN}))
    assert found.retry_after_s == 8.0


def test_a_key_put_aside_leaves_the_others() -> None:
    found = planned_for(Pool((planned("a", keys=2),)), Sight(aside={"a-0"}))
    assert [key.key_id for key in found.targets[0].keys] == ["a-1"]


def test_a_target_whose_keys_are_all_aside_is_passed_over() -> None:
    found = planned_for(Pool((planned("a", keys=2), planned("b"))), Sight(aside={"a-0", "a-1"}))
    assert (names(found), found.skips[0].reason, found.moved_on) == ("b", "KEY_REJECTED", "KEY_REJECTED")


@pytest.mark.parametrize(
    ("preference", "order"),
    [
        param(Preference.QUALITY, "abc", id="quality-keeps-the-order"),
        param(Preference.SPEED, "cba", id="speed-by-median-and-unmeasured-first"),
        param(Preference.COST, "bac", id="cost-and-unpriced-last"),
    ],
)
def test_preference(preference: Preference, order: str) -> None:
    sight = Sight(waits={"a": 0.9, "b": 0.2})
    assert names(planned_for(Pool(ABC), sight, preference=preference)) == order
    assert names(planned_for(Pool(ABC, preference=preference), sight)) == order


def test_a_calls_preference_and_recovery_beat_its_aliases() -> None:
    pool = Pool(ABC, preference=Preference.COST, stream_recovery=StreamRecovery.BUFFER)
    found = planned_for(pool, Sight(), preference=Preference.QUALITY, stream_recovery=StreamRecovery.RESTART)
    assert (names(found), found.stream_recovery) == ("abc", StreamRecovery.RESTART)


@pytest.mark.parametrize(("wanted", "order"), [("c", "cab"), ("nobody", "abc"), ("", "abc")])
def test_preferred_provider_goes_first_and_the_others_stay(wanted: str, order: str) -> None:
    assert names(planned_for(Pool(ABC), Sight(), preferred_provider=wanted)) == order


def test_round_robin_stays_even_while_a_circuit_is_open() -> None:
    pool = Pool(ABC, strategy=Strategy.ROUND_ROBIN)
    firsts = [names(planned_for(pool, Sight({"b": OPEN}), turn))[0] for turn in range(6)]
    assert firsts == list("acacac")


chains = st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3), st.integers(1, 3)), max_size=6)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Pool, Sight]:
    chain = tuple(planned(f"{place}", *values) for place, values in enumerate(draw(chains)))
    troubles = draw(
        st.dictionaries(st.integers(0, 5).map(str), st.sampled_from([OPEN, COOLING, COOLING_LONG, HINT, FULL]))
    )
    aside = draw(st.sets(st.sampled_from([f"{place}-{key}" for place in range(6) for key in range(3)])))
    return Pool(chain, strategy=draw(st.sampled_from(Strategy))), Sight(troubles, aside)


@given(situations(), st.none() | st.sampled_from(Preference), st.integers(0, 10**9), st.floats(0, 0.999))
def test_every_place_is_planned_or_passed_over_and_both_only_if_it_is_waited_for(
    situation: tuple[Pool, Sight], preference: Preference | None, turn: int, chance: float
) -> None:
    pool, sight = situation
    found = planned_for(pool, sight, turn, chance, preference=preference)
    told, planned_ = [skip.target.provider for skip in found.skips], names(found)
    both = {*planned_} & {*told}
    assert {*planned_, *told} == {each.target.provider for each in pool.chain}
    assert len(told) == len({*told})
    assert len(planned_) == len({*planned_})
    assert all(sight.troubles[name] in (COOLING, HINT, FULL) for name in both)
    assert not both or not both & {*planned_[: len(planned_) - len(both)]}, "those waited for stand last"
    assert all(not sight.key_aside(key.key_id) for each in found.targets for key in each.keys)
    assert found == planned_for(pool, sight, turn, chance, preference=preference), "replayable"

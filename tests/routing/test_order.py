"""The strategies, as counts over windows."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Strategy
from sidecar.routing.order import order, pick
from sidecar.routing.pool import Planned
from tests.support.routes import planned

A, B, C = planned("a"), planned("b"), planned("c")
param = pytest.param


def names(chain: Sequence[Planned]) -> str:
    return "".join(each.target.provider for each in chain)


@pytest.mark.parametrize(
    ("chain", "wanted"),
    [
        param([A, B, C], "abc", id="ties-keep-the-chain-order"),
        param([A, planned("b", weight=5), C], "bac", id="heavier-first"),
        param([planned("a", weight=0), B, C], "bca", id="weight-0-only-as-fallback"),
        param([A, planned("b", weight=9), planned("c", priority=1)], "cba", id="priority-overrides-weight"),
        param([planned("a", priority=2), planned("b", priority=1)], "ba", id="priority-ascends"),
        param([planned("a", weight=0, priority=1), B], "ab", id="priority-overrides-weight-0"),
        param([A], "a", id="one"),
        param([], "", id="none"),
    ],
)
def test_failover(chain: list[Planned], wanted: str) -> None:
    assert names(order(chain, Strategy.FAILOVER, turn=7, chance=0.9)) == wanted


@pytest.mark.parametrize(("turn", "wanted"), [(0, "abc"), (1, "bca"), (2, "cab"), (3, "abc"), (10**12 + 1, "cab")])
def test_round_robin_starts_one_later_each_turn(turn: int, wanted: str) -> None:
    assert names(order([A, B, C], Strategy.ROUND_ROBIN, turn, 0.0)) == wanted


@given(st.integers(0, 10**15), st.integers(1, 7))
def test_round_robin_is_exact_over_any_window(start: int, n: int) -> None:
    chain = [planned(f"{place}") for place in range(n)]
    firsts = Counter(names(order(chain, Strategy.ROUND_ROBIN, start + turn, 0.0)[:1]) for turn in range(n))
    assert set(firsts.values()) == {1}


@given(st.integers(0, 10**15), st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_weighted_is_exact_over_any_window(start: int, weights: list[int]) -> None:
    picked = Counter(pick(weights, start + turn) for turn in range(sum(weights)))
    assert [picked[place] for place in range(len(weights))] == weights


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(1, 60))
def test_weighted_is_well_spread(weights: list[int], turns: int) -> None:
    """After any number of turns of a round nobody is more than a turn or so away from its share."""
    picked = Counter(pick(weights, turn) for turn in range(turns))
    for place, weight in enumerate(weights):
        assert abs(picked[place] - turns * weight / sum(weights)) <= len(weights) / 2 + 0.5


def test_weighted_needs_no_room_for_great_weights() -> None:
    assert pick([10**12, 1], 5) == 0


@pytest.mark.parametrize(
    ("turn", "wanted"),
    [param(0, "bac", id="heavy"), param(1, "abc", id="light-in-between"), param(2, "bac", id="heavy-again")],
)
def test_weighted_order(turn: int, wanted: str) -> None:
    chain = [A, planned("b", weight=3), planned("c", weight=0)]
    assert names(order(chain, Strategy.WEIGHTED, turn, 0.0)) == wanted


def test_weight_0_is_never_first_where_another_is_left() -> None:
    chain = [planned("z", weight=0), A, B]
    for strategy in Strategy:
        assert all(names(order(chain, strategy, turn, turn / 10))[0] in "ab" for turn in range(10))


def test_random_is_uniform_over_all_orders() -> None:
    """Exact, since the chances are taken evenly: chi-squared is 0."""
    n = 6 * 50
    seen = Counter(names(order([A, B, C], Strategy.RANDOM, 0, (place + 0.5) / n)) for place in range(n))
    expected = n / 6
    assert sum((count - expected) ** 2 / expected for count in seen.values()) == 0
    assert len(seen) == 6


@given(st.sampled_from(Strategy), st.lists(st.integers(0, 9), max_size=6), st.integers(0, 10**9), st.floats(0, 0.999))
def test_every_target_stands_in_it_once(strategy: Strategy, weights: list[int], turn: int, chance: float) -> None:
    chain = [planned(f"{place}", weight=weight) for place, weight in enumerate(weights)]
    assert sorted(names(order(chain, strategy, turn, chance))) == sorted(names(chain))

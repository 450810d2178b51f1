"""How 100,000 calls in a row are shared out, against what was promised, by the chi-squared test."""

from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest

from sidecar.core.call import Strategy
from sidecar.routing import Pool, plan
from tests.support.routes import Sight, call, planned

DRAWS = 100_000
CRITICAL = {1: 10.83, 2: 13.82, 3: 16.27, 5: 20.52}
"""Degrees of freedom -> what chance alone passes once in a thousand times."""
param = pytest.param


def drawn(weights: Mapping[str, int], strategy: Strategy) -> list[str]:
    """Whole orders, as plans give them."""
    pool = Pool(tuple(planned(name, weight) for name, weight in weights.items()), strategy=strategy)
    chance, asked, sight = Random(1), call(), Sight()
    orders = []
    for turn in range(DRAWS):
        made = plan(pool, asked, turn=turn, chance=chance.random(), view=sight, price=lambda _each, _call: None)
        orders.append("".join(each.target.provider for each in made.targets))
    return orders


def chi_squared(seen: Mapping[str, int], shares: Mapping[str, float]) -> float:
    total = sum(shares.values())
    expected = {name: DRAWS * share / total for name, share in shares.items()}
    return sum((seen.get(name, 0) - count) ** 2 / count for name, count in expected.items())


@pytest.mark.parametrize(
    ("strategy", "weights", "shares"),
    [
        param(Strategy.RANDOM, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}, id="random"),
        param(Strategy.RANDOM, {"a": 9, "b": 1}, {"a": 1, "b": 1}, id="random-whatever-the-weights"),
        param(Strategy.WEIGHTED, {"a": 3, "b": 2}, {"a": 3, "b": 2}, id="weighted"),
        param(
            Strategy.WEIGHTED, {"a": 7, "b": 0, "c": 2, "d": 1}, {"a": 7, "c": 2, "d": 1}, id="weighted-with-a-spare"
        ),
        param(Strategy.ROUND_ROBIN, {"a": 1, "b": 5, "c": 1}, {"a": 1, "b": 1, "c": 1}, id="round-robin"),
    ],
)
def test_firsts(strategy: Strategy, weights: Mapping[str, int], shares: Mapping[str, float]) -> None:
    seen = Counter(order[0] for order in drawn(weights, strategy))
    assert seen.keys() == shares.keys()
    assert chi_squared(seen, shares) < CRITICAL[len(shares) - 1]


def test_random_has_no_favourite_order() -> None:
    seen = Counter(drawn({"a": 1, "b": 1, "c": 1}, Strategy.RANDOM))
    assert chi_squared(seen, dict.fromkeys(("abc", "acb", "bac", "bca", "cab", "cba"), 1.0)) < CRITICAL[5]


def test_three_to_two_is_sixty_to_forty_exactly() -> None:
    firsts = [order[0] for order in drawn({"a": 3, "b": 2}, Strategy.WEIGHTED)]
    assert Counter(firsts) == {"a": 60_000, "b": 40_000}
    assert {Counter(firsts[at : at + 5])["a"] for at in range(0, DRAWS - 5, 7)} == {3}, "in any five calls in a row"

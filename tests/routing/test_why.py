"""A plan in words."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import Capability, Preference, Strategy, Target
from sidecar.core.catalog import Alias
from sidecar.core.faults import FallbackReason
from sidecar.routing import Pool, plan, reasons, summary
from tests.support.routes import Sight, Trouble, call, planned

param = pytest.param
ABC = (planned("a"), planned("b"), planned("c"))
COOLING = Trouble(FallbackReason.RATE_LIMITED, "rate limited until 12:00:02Z", wait_s=2.0)
PRICES = {Target("a", "m"): 30, Target("b", "m"): 10, Target("c", "m"): None}
WRITER = Alias("writer", ())


def told(pool: Pool, sight: Sight, **asked: Any) -> list[str]:
    made = plan(pool, call(**asked), turn=0, chance=0.0, view=sight, price=lambda each, _: PRICES[each.target])
    words = reasons(made, call(**asked), sight, PRICES)
    return [f"{each.target.provider} {why}" for each, why in zip(made.targets, words, strict=True)]


@pytest.mark.parametrize(
    ("pool", "sight", "asked", "expected"),
    [
        param(Pool(ABC), Sight(), {},
              ["a first in the chain", "b fallback, next in the chain", "c fallback, next in the chain"],
              id="failover"),
        param(Pool((planned("a", 1), planned("b", 3), planned("c", priority=1))), Sight(), {},
              ["c priority 1", "b weight 3", "a weight 1"], id="failover-by-weight-and-priority"),
        param(Pool(ABC[:2], strategy=Strategy.ROUND_ROBIN), Sight(), {},
              ["a its turn in the rotation", "b fallback, next in the rotation"], id="round-robin"),
        param(Pool((planned("a", 3), planned("b", 2)), strategy=Strategy.WEIGHTED), Sight(), {},
              ["a its turn by weight (3 of 5)", "b fallback, weight 2"], id="weighted"),
        param(Pool(ABC[:2], strategy=Strategy.RANDOM), Sight(), {}, ["a drawn", "b fallback, drawn after it"],
              id="random"),
        param(Pool((planned("a", 0), planned("b"))), Sight(), {},
              ["b weight 1", "a weight 0: only as fallback"], id="a-spare"),
        param(Pool((planned("a"), replace(planned("b", 0), reserve=True)), reserved=True), Sight(), {},
              ["a weight 1", "b the operator's key, behind all of the workspace's own"], id="a-reserve"),
        param(Pool(ABC), Sight(), {"preference": Preference.COST},
              ["b cheapest", "a next by price", "c no price is known"], id="cost"),
        param(Pool(ABC), Sight(waits={"a": 0.5, "b": 0.2}), {"preference": Preference.SPEED},
              ["c not measured yet", "b next by speed", "a next by speed"], id="speed"),
        param(Pool(ABC[:2]), Sight(), {"preferred_provider": "b"},
              ["b preferred provider", "a fallback, next in the chain"], id="preferred"),
        param(Pool(ABC[:2]), Sight({"a": COOLING}), {},
              ["b first in the chain", "a rate limited (rate limited until 12:00:02Z): comes back if all others fail"],
              id="rate-limited"),
        param(Pool(ABC[:1]), Sight({"a": COOLING}), {},
              ["a waited for, since nothing else is left: rate limited until 12:00:02Z"], id="waited-for"),
        param(Pool(ABC[:1]), Sight(), {"target": Target("a", "m")}, ["a named by the call"], id="direct"),
    ],
)  # fmt: skip
def test_why_each_stands_there(pool: Pool, sight: Sight, asked: dict[str, Any], expected: list[str]) -> None:
    assert told(pool, sight, **asked) == expected


@pytest.mark.parametrize(
    ("pool", "asked", "expected"),
    [
        param(Pool(ABC, alias=WRITER, strategy=Strategy.WEIGHTED), {}, "Alias 'writer': in turn, by weight (weighted).",
              id="strategy"),
        param(Pool(ABC, alias=WRITER, preference=Preference.SPEED), {},
              "Alias 'writer': in the order of priority, weight and place (failover); fastest first (the alias's "
              "preference speed).", id="its-preference"),
        param(Pool(ABC, alias=WRITER, strategy=Strategy.RANDOM),
              {"preference": Preference.QUALITY, "preferred_provider": "b"},
              "Alias 'writer': at random: this is one draw; in the strategy's order (the call's preference quality); b "
              "before the others (preferred).", id="the-calls-preference"),
        param(Pool(ABC, alias=WRITER), {"preferred_provider": "z"},
              "Alias 'writer': in the order of priority, weight and place (failover); z is not among them (preferred).",
              id="preferred-in-vain"),
        param(Pool(ABC), {"alias": "", "capability": Capability.CHAT},
              "Accounts with the capability chat, in the order of the catalogue.", id="capability"),
        param(Pool(ABC), {"target": Target("a", "m")}, "The call names its target: it is tried alone.", id="direct"),
        param(Pool((), known=False), {}, "Nothing is configured by that name.", id="unknown"),
    ],
)  # fmt: skip
def test_how_the_order_came_about(pool: Pool, asked: dict[str, Any], expected: str) -> None:
    made = plan(pool, call(**asked), turn=0, chance=0.0, view=Sight(), price=lambda _each, _call: None)
    assert summary(made, call(**asked)) == expected

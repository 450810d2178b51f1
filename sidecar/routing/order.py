"""The strategies. Each orders the places 0..n-1 of a chain, and is replayable: turn and chance are handed in."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

from sidecar.core.call import Strategy
from sidecar.routing.pool import Planned


def order(chain: Sequence[Planned], strategy: Strategy, turn: int, chance: float) -> list[Planned]:
    """The chain as one call tries it. Weight 0 stands last under every strategy: only as fallback.

    `turn` numbers the calls to this chain from 0; `chance` lies in [0, 1).
    """
    if len(chain) < 2:
        return list(chain)
    if strategy is Strategy.FAILOVER:
        return sorted(chain, key=_rank)
    drawn = [each for each in chain if each.weight > 0]
    spare = sorted((each for each in chain if each.weight <= 0), key=_rank)
    if not drawn:
        return spare
    match strategy:
        case Strategy.ROUND_ROBIN:
            start = turn % len(drawn)
            drawn = drawn[start:] + drawn[:start]
        case Strategy.WEIGHTED:
            first = drawn.pop(pick([each.weight for each in drawn], turn))
            drawn = [first, *sorted(drawn, key=_rank)]
        case _:
            drawn = shuffled(drawn, chance)
    return drawn + spare


def _rank(each: Planned) -> tuple[bool, int, int]:
    """Places with a priority first, in its ascending order; then by descending weight. Sorting is stable: ties keep
    the chain's order."""
    return each.priority is None, each.priority or 0, -each.weight


def pick(weights: Sequence[int], turn: int) -> int:
    """Whose turn it is: over any sum(weights) turns in a row, place i comes exactly weights[i] times, well spread.

    Place i is due at the times (k + 1/2) / weights[i], k = 0, 1, ...; one round lasts 1. The turn-th due time of a
    round is found without walking the round: all that is due before `(turn - n/2) / total` is counted at once, which
    leaves at most n to step through.
    """
    total, n = sum(weights), len(weights)
    turn %= total
    ahead = 2 * turn - n
    given = [max(0, (weight * ahead + total) // (2 * total)) for weight in weights]
    unit = lcm(*weights)
    while True:
        due = min(range(n), key=lambda place: (2 * given[place] + 1) * (unit // weights[place]))
        if sum(given) == turn:
            return due
        given[due] += 1


def shuffled(chain: Sequence[Planned], chance: float) -> list[Planned]:
    """Each order as likely as the other: the digits of `chance` in the factorial number system choose one."""
    left, drawn = list(chain), []
    while left:
        chance *= len(left)
        place = min(int(chance), len(left) - 1)
        chance -= place
        drawn.append(left.pop(place))
    return drawn

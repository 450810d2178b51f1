"""Whether there is room, and if not, how much smaller an answer would have to be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sidecar.budget.account import Account
from sidecar.budget.hold import Bound, Hold, Most
from sidecar.core.money import MILLION

MIN_OUTPUT_TOKENS = 16
"""Of a choice: an answer is not cut to less, the call is refused."""


class Demand(NamedTuple):
    """What an account is asked to hold on top of what it holds."""

    account: Account
    picodollars: int
    tokens: int
    requests: int


class Lack(NamedTuple):
    account: Account
    measure: int
    """The one without room, by its place in UNITS."""
    wanted: int


def fit(wanted: Sequence[Demand], bounds: Sequence[Bound], asked: Most, shrinkable: bool) -> int | Lack | None:
    """None: there is room for all of `asked`, which is what `bounds` come to. Else the most output tokens a choice
    with which all fits, or what does not fit.

    An answer is cut to no less than MIN_OUTPUT_TOKENS, and only if all that lack room allow it.
    """
    lacking = [found for demand in wanted if (found := _lack(demand)) is not None]
    if not lacking:
        return None
    if shrinkable and all(found.account.budget.shrink for found in lacking):
        room_picodollars = asked[0] + min(each.account.free_picodollars - each.picodollars for each in wanted)
        room_tokens = asked[1] + min(each.account.free_tokens - each.tokens for each in wanted)
        requests_fit = all(each.requests <= each.account.free_requests for each in wanted)
        cut = output_that_fits(bounds, room_picodollars, room_tokens) if requests_fit else -1
        if cut >= MIN_OUTPUT_TOKENS:
            return cut
    return lacking[0]


def demands(hold: Hold, keys: Sequence[Account], asked: Most) -> list[Demand]:
    """Of one more attempt."""
    picodollars, tokens, _ = asked
    more = hold.lacks(picodollars, tokens)
    return [
        *(Demand(account, *more, 0) for account in hold.accounts),
        *(Demand(account, picodollars, tokens, 1) for account in keys),
    ]


def _lack(demand: Demand) -> Lack | None:
    account, *wanted = demand
    measure = account.lacking(*wanted)
    return None if measure is None else Lack(account, measure, wanted[measure])


def output_that_fits(bounds: Sequence[Bound], room_picodollars: int, room_tokens: int) -> int:
    """The largest cut with which `most` stays within the room; below 0 where none does."""
    each = [(bound, _fits(bound, room_picodollars, room_tokens)) for bound in bounds]
    whole = max((bound.output_tokens for bound in bounds), default=-1)
    return min((fitting for bound, fitting in each if fitting < bound.output_tokens), default=whole)


def _fits(bound: Bound, room_picodollars: int, room_tokens: int) -> int:
    """Output tokens a choice, as if it had no bound of its own."""
    fitting = (room_tokens - bound.input_tokens) // bound.choices
    if bound.input_picodollars is None:
        return fitting
    left = room_picodollars - bound.input_picodollars
    price = -(-bound.output_price // MILLION) * bound.choices
    if left < 0:
        return -1
    return min(fitting, left // price) if price else fitting

"""One call's plan: a pool, seen in the light of health, turn, chance and preference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sidecar.core.call import Call, Preference, Skip, StreamRecovery, Target
from sidecar.core.faults import FallbackReason
from sidecar.routing.order import order
from sidecar.routing.pool import Planned, Pool


class Blocked(Protocol):
    """Why a target should not be tried just now."""

    @property
    def reason(self) -> FallbackReason: ...

    @property
    def detail(self) -> str:
        """For people: "circuit open until 12:00:05Z"."""
        ...

    @property
    def wait_s(self) -> float:
        """Until it may be tried; 0: nobody knows."""
        ...

    @property
    def firm(self) -> bool:
        """False: it may be tried all the same, where nothing else is left."""
        ...


class View(Protocol):
    """What planning sees of health and limits."""

    def blocked(self, planned: Planned) -> Blocked | None:
        """CIRCUIT_OPEN or RATE_LIMITED; None: go ahead."""
        ...

    def key_aside(self, key_id: str) -> bool:
        """A provider has rejected this key of late."""
        ...

    def typical_s(self, target: Target, streamed: bool) -> float | None:
        """Median wait for the first content; None: not measured yet."""
        ...


Price = Callable[[Planned, Call], int | None]
"""What a call of this size would cost there; None: no price is known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Targets in the order of trying, those to be waited for last. None left: `nothing_left` says why."""

    targets: tuple[Planned, ...]
    skips: tuple[Skip, ...]
    pool: Pool
    preference: Preference | None
    stream_recovery: StreamRecovery
    moved_on: FallbackReason | None = None
    """The target whose turn it was is passed over for this reason."""
    retry_after_s: float | None = None
    """Until the first of those that are only blocked may be tried; None if none is."""


def plan(
    pool: Pool, call: Call, *, turn: int, chance: float, view: View, price: Price, longest_wait_s: float = 5.0
) -> Plan:
    """Who is tried, in which order, and who is passed over.

    A rate-limited target goes behind all others, to be waited for (up to `longest_wait_s`) when it comes to that.
    """
    preference = call.preference or pool.preference
    recovery = call.stream_recovery or pool.stream_recovery
    key_turn = turn // pool.round

    def ordered(chain: Sequence[Planned]) -> list[Planned]:
        ranked = _ranked(order(chain, pool.strategy, turn, chance), call, preference, view, price)
        preferred = _preferred(ranked, call)
        return sorted(preferred, key=_is_reserve) if pool.reserved else preferred

    fit: list[Planned] = []
    troubled: list[tuple[Planned, Blocked]] = []
    for each in pool.chain:
        trouble = _trouble(each, view)
        if trouble is None:
            fit.append(_with_keys(each, view, key_turn))
        else:
            troubled.append((each, trouble))
    if not troubled:
        return Plan(tuple(ordered(fit)), pool.skips, pool, preference, recovery)
    later = [_with_keys(each, view, key_turn) for each, it in troubled if waited_for(it, longest_wait_s)]
    passed = [(each, it) for each, it in troubled if fit or not waited_for(it, longest_wait_s)]
    targets = (*ordered(fit), *ordered(later))
    why = {each.target: it.reason for each, it in passed}
    return Plan(
        targets=targets,
        skips=(*pool.skips, *(Skip(each.target, it.reason.value, it.detail) for each, it in passed)),
        pool=pool,
        preference=preference,
        stream_recovery=recovery,
        moved_on=why.get(ordered(pool.chain)[0].target) if targets else None,
        retry_after_s=min((it.wait_s for _, it in troubled if it.wait_s > 0), default=None),
    )


def waited_for(blocked: Blocked, longest_wait_s: float) -> bool:
    """Whether a target that is blocked now is worth coming back to within the same call."""
    return blocked.reason is FallbackReason.RATE_LIMITED and (blocked.wait_s <= longest_wait_s or not blocked.firm)


@dataclass(frozen=True, slots=True)
class _Trouble:
    reason: FallbackReason
    detail: str
    wait_s: float = 0.0
    firm: bool = True


_NO_KEY_LEFT = _Trouble(FallbackReason.KEY_REJECTED, "key rejected")


def _trouble(each: Planned, view: View) -> Blocked | None:
    if all(view.key_aside(key.key_id) for key in each.keys):
        return _NO_KEY_LEFT
    return view.blocked(each)


def _with_keys(each: Planned, view: View, turn: int) -> Planned:
    """Beginning with the key whose turn it is, and without those that were rejected of late."""
    if len(each.keys) == 1:
        return each
    due = each.turns[turn % len(each.turns)] if each.turns else each
    good = tuple(key for key in due.keys if not view.key_aside(key.key_id))
    return due if len(good) == len(due.keys) else replace(due, keys=good)


def _is_reserve(each: Planned) -> bool:
    return each.reserve


def _ranked(chain: list[Planned], call: Call, preference: Preference | None, view: View, price: Price) -> list[Planned]:
    """Speed and cost replace the strategy's order. Not measured yet goes first, to be measured; unpriced goes last."""
    match preference:
        case Preference.SPEED:
            waits = {each.target: view.typical_s(each.target, call.streamed) for each in chain}
            return sorted(chain, key=lambda each: (each.weight <= 0, waits[each.target] or 0.0))
        case Preference.COST:
            prices = {each.target: price(each, call) for each in chain}
            return sorted(
                chain, key=lambda each: (each.weight <= 0, prices[each.target] is None, prices[each.target] or 0)
            )
    return chain


def _preferred(chain: list[Planned], call: Call) -> list[Planned]:
    """The preferred provider first, by account name or by type; the others stay."""
    wanted = call.preferred_provider
    return sorted(chain, key=lambda each: wanted not in (each.account.name, each.account.type)) if wanted else chain

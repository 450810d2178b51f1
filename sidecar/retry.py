"""Whose turn is next after a fault: the failover table, as one pure function.

The table itself stands at the top of `sidecar.core.faults`; docs/routing.md tells it to users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.core import faults
from sidecar.core.call import StreamRecovery
from sidecar.core.catalog import RetryPolicy
from sidecar.core.faults import FallbackReason, Fault, RefusalReason

HAMMER_S = 1.5
"""A target is never tried three times within this."""
_RETRY_AFTER_JITTER = 0.05
"""Callers that were told the same wait do not come back in one crowd."""
_ONCE_MORE = (faults.ConnectFailed, faults.ConnectionReset, faults.ServerError)
_STOPS: dict[type[Fault], RefusalReason] = {
    faults.BadRequest: RefusalReason.INVALID_REQUEST,
    faults.ContentFiltered: RefusalReason.CONTENT_FILTERED,
}
_LAST_WORDS: dict[type[Fault], RefusalReason] = {
    faults.ContextTooLong: RefusalReason.CONTEXT_LENGTH_EXCEEDED,
    faults.ModelNotFound: RefusalReason.MODEL_NOT_FOUND,
    faults.Unsupported: RefusalReason.OPERATION_NOT_SUPPORTED,
}


@dataclass(frozen=True, slots=True)
class Again:
    """The same target once more, after a pause. `other_key`: with the account's next key."""

    after_s: float
    other_key: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """Another target, at once: the `place`-th of the untried ones; those before it are passed over for good."""

    reason: FallbackReason
    place: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """The call ends with this refusal."""

    reason: RefusalReason


Move = Again | Next | Stop


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a call stands after an attempt has failed. Counts include that attempt."""

    attempts: int
    tries_here: int
    """In a row on this target."""
    untried: Sequence[int]
    """Context windows (tokens; 0 = not known) of the targets not tried yet, in order."""
    time_left_s: float
    context_tokens: int = 0
    keys_left: int = 0
    """Keys of this account that it has not rejected."""
    content_sent: bool = False
    """The caller has seen a part of the answer."""
    recovery: StreamRecovery = StreamRecovery.ERROR


def next_move(fault: Fault, now: Situation, policy: RetryPolicy, chance: float, scale: float = 1.0) -> Move:
    """The failover table. `chance` in [0, 1) draws the jitter; `scale` multiplies every wait (tests)."""
    for kind, reason in _STOPS.items():
        if isinstance(fault, kind):
            return Stop(reason)
    if now.content_sent:
        return _mid_stream(fault, now, policy)
    if now.time_left_s <= 0:
        return Stop(RefusalReason.DEADLINE_EXCEEDED)
    attempts_left = 1 + policy.max_retries - now.attempts
    if attempts_left <= 0:
        return _end(fault)
    if attempts_left > len(now.untried):
        again = _again(fault, now, policy, chance, scale)
        if again is not None and again.after_s < now.time_left_s:
            return again
    return _next(fault, now, policy)


def _again(fault: Fault, now: Situation, policy: RetryPolicy, chance: float, scale: float) -> Again | None:
    """Another try at the same target, if the table grants one; the caller sees to it that all others keep theirs."""
    if isinstance(fault, faults.KeyRejected):
        return Again(0.0, other_key=True) if now.keys_left else None
    if isinstance(fault, faults.RateLimited):
        return _obeyed(fault, now, policy, chance, scale)
    if isinstance(fault, _ONCE_MORE) and now.tries_here == 1:
        return Again(_backoff_s(policy, chance) * scale)
    return None


def _obeyed(fault: Fault, now: Situation, policy: RetryPolicy, chance: float, scale: float) -> Again | None:
    """429: the wait that the provider asks for, if short. Where another target is left, only once; where none is
    and the provider names no wait, one ordinary back-off."""
    if now.untried and (now.tries_here > 1 or fault.retry_after_s is None):
        return None
    if fault.retry_after_s is None:
        return Again(_backoff_s(policy, chance) * scale) if now.tries_here == 1 else None
    if fault.retry_after_s > policy.retry_after_max_s:
        return None
    after_s = fault.retry_after_s * (1 + _RETRY_AFTER_JITTER * chance)
    return Again(max(after_s, HAMMER_S if now.tries_here > 1 else 0.0) * scale)


def _backoff_s(policy: RetryPolicy, chance: float) -> float:
    return policy.backoff_min_s + (policy.backoff_max_s - policy.backoff_min_s) * chance


def _next(fault: Fault, now: Situation, policy: RetryPolicy) -> Next | Stop:
    if not policy.retry_failed:
        return _end(fault)
    reason = fault.reason or FallbackReason.PROVIDER_ERROR
    if isinstance(fault, faults.ContextTooLong):
        larger = (place for place, tokens in enumerate(now.untried) if tokens > now.context_tokens)
        place = next(larger, None)
        return _end(fault) if place is None else Next(reason, place)
    return Next(reason) if now.untried else _end(fault)


def _mid_stream(fault: Fault, now: Situation, policy: RetryPolicy) -> Move:
    """The caller has content already: only RESTART goes on, and never at the target that broke off."""
    if now.time_left_s <= 0:
        return Stop(RefusalReason.DEADLINE_EXCEEDED)
    if now.recovery is not StreamRecovery.RESTART or now.attempts > policy.max_retries:
        return Stop(RefusalReason.STREAM_BROKEN)
    move = _next(fault, now, policy)
    return move if isinstance(move, Next) else Stop(RefusalReason.STREAM_BROKEN)


def _end(fault: Fault) -> Stop:
    for kind, reason in _LAST_WORDS.items():
        if isinstance(fault, kind):
            return Stop(reason)
    return Stop(RefusalReason.ALL_ATTEMPTS_FAILED)

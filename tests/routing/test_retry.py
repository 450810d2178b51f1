"""The failover table, fault by fault, and what holds for every course of a call."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core import faults
from sidecar.core.call import StreamRecovery
from sidecar.core.catalog import RetryPolicy
from sidecar.core.faults import FallbackReason as Why
from sidecar.core.faults import Fault
from sidecar.core.faults import RefusalReason as End
from sidecar.retry import HAMMER_S, Again, Move, Next, Situation, Stop, next_move

param = pytest.param
DOWN, SLOW, SILENT = faults.ServerError("down"), faults.ResponseTimeout(), faults.FirstTokenTimeout()
POLICY = RetryPolicy()
CUT, GARBLED = faults.StreamCut(), faults.Garbled()


def limited(after_s: float | None = None) -> Fault:
    return faults.RateLimited("slow down", retry_after_s=after_s)


def move(fault: Fault, chance: float = 0.5, policy: RetryPolicy = POLICY, **now: Any) -> Move:
    situation: dict[str, Any] = {"attempts": 1, "tries_here": 1, "untried": (0,), "time_left_s": 100.0} | now
    return next_move(fault, Situation(**situation), policy, chance)


ALONE: dict[str, Any] = {"untried": ()}
SECOND: dict[str, Any] = {"attempts": 2, "tries_here": 2}


@pytest.mark.parametrize(
    ("fault", "now", "wanted"),
    [
        # once more on the same target, then the next
        param(DOWN, {}, Again(1.1), id="server-error-once-more"),
        param(faults.ConnectFailed(), {}, Again(1.1), id="connect-error-once-more"),
        param(faults.ConnectionReset(), {}, Again(1.1), id="reset-once-more"),
        param(DOWN, SECOND, Next(Why.PROVIDER_ERROR), id="server-error-twice"),
        param(DOWN, {"untried": (0, 0, 0)}, Next(Why.PROVIDER_ERROR), id="no-try-to-spare-for-the-same"),
        param(DOWN, SECOND | ALONE, Stop(End.ALL_ATTEMPTS_FAILED), id="server-error-twice-and-nobody-else"),
        param(DOWN, {"time_left_s": 0.5}, Next(Why.PROVIDER_ERROR), id="no-time-for-the-back-off"),
        # 429
        param(limited(2.0), {}, Again(2.05), id="429-obeyed"),
        param(limited(6.0), {}, Next(Why.RATE_LIMITED), id="429-too-long"),
        param(limited(4.0), {"time_left_s": 3.0}, Next(Why.RATE_LIMITED), id="429-beyond-the-deadline"),
        param(limited(), {}, Next(Why.RATE_LIMITED), id="429-without-a-wait"),
        param(limited(2.0), SECOND, Next(Why.RATE_LIMITED), id="429-twice"),
        param(limited(2.0), SECOND | ALONE, Again(2.05), id="429-twice-and-nobody-else"),
        param(limited(0.1), SECOND | ALONE, Again(1.5), id="429-never-a-third-try-within-1.5-s"),
        param(limited(), ALONE, Again(1.1), id="429-without-a-wait-and-nobody-else"),
        param(limited(), SECOND | ALONE, Stop(End.ALL_ATTEMPTS_FAILED), id="429-without-a-wait-twice"),
        param(limited(60.0), ALONE, Stop(End.ALL_ATTEMPTS_FAILED), id="429-too-long-and-nobody-else"),
        # silent, cut and garbled targets are not tried again
        param(faults.ConnectTimeout(), {}, Next(Why.TIMEOUT), id="no-connection-in-time"),
        param(SILENT, {}, Next(Why.TTFT), id="no-first-event-in-time"),
        param(SLOW, {}, Next(Why.TIMEOUT), id="no-answer-in-time"),
        param(SLOW, ALONE, Stop(End.ALL_ATTEMPTS_FAILED), id="no-answer-in-time-and-nobody-else"),
        param(faults.Stalled(), {}, Next(Why.STALL), id="stalled"),
        param(CUT, {}, Next(Why.STALL), id="cut"),
        param(GARBLED, {}, Next(Why.GARBLED), id="garbled"),
        param(faults.TooLarge(), {}, Next(Why.GARBLED), id="too-large"),
        # what another target mends
        param(faults.ContextTooLong(), {"context_tokens": 8, "untried": (4, 0, 16)}, Next(Why.CONTEXT_LENGTH, 2),
              id="context-to-a-larger-one"),
        param(faults.ContextTooLong(), {"context_tokens": 8, "untried": (8, 0)}, Stop(End.CONTEXT_LENGTH_EXCEEDED),
              id="context-and-no-larger-one"),
        param(faults.KeyRejected(), {"keys_left": 1}, Again(0.0, other_key=True), id="key-to-the-next-key"),
        param(faults.KeyRejected(), {}, Next(Why.KEY_REJECTED), id="key-to-the-next-target"),
        param(faults.KeyRejected(), ALONE, Stop(End.ALL_ATTEMPTS_FAILED), id="key-and-nobody-else"),
        param(faults.ModelNotFound(), {}, Next(Why.MODEL_NOT_FOUND), id="model-to-the-next-target"),
        param(faults.ModelNotFound(), ALONE, Stop(End.MODEL_NOT_FOUND), id="model-and-nobody-else"),
        param(faults.Unsupported(), {}, Next(Why.PROVIDER_ERROR), id="unsupported-to-the-next-target"),
        # what no other target mends
        param(faults.BadRequest(), {}, Stop(End.INVALID_REQUEST), id="bad-request"),
        param(faults.ContentFiltered(), {}, Stop(End.CONTENT_FILTERED), id="filter"),
        param(faults.BadRequest(), {"content_sent": True}, Stop(End.INVALID_REQUEST), id="bad-request-mid-stream"),
        # limits
        param(DOWN, {"attempts": 4}, Stop(End.ALL_ATTEMPTS_FAILED), id="tries-used-up"),
        param(DOWN, {"time_left_s": 0.0}, Stop(End.DEADLINE_EXCEEDED), id="deadline"),
        # after content
        param(CUT, {"content_sent": True}, Stop(End.STREAM_BROKEN), id="mid-stream-error"),
        param(CUT, {"content_sent": True, "recovery": StreamRecovery.RESTART}, Next(Why.STALL),
              id="mid-stream-restart"),
        param(DOWN, {"content_sent": True, "recovery": StreamRecovery.RESTART}, Next(Why.PROVIDER_ERROR),
              id="mid-stream-restart-never-at-the-same"),
        param(CUT, {"content_sent": True, "recovery": StreamRecovery.RESTART} | ALONE, Stop(End.STREAM_BROKEN),
              id="mid-stream-restart-and-nobody-else"),
        param(CUT, {"content_sent": True, "recovery": StreamRecovery.RESTART, "attempts": 4}, Stop(End.STREAM_BROKEN),
              id="mid-stream-restart-tries-used-up"),
        param(CUT, {"recovery": StreamRecovery.BUFFER}, Next(Why.STALL), id="mid-stream-buffer"),
    ],
)  # fmt: skip
def test_next_move(fault: Fault, now: dict[str, Any], wanted: Move) -> None:
    assert move(fault, **now) == wanted


NO_FALLBACK = RetryPolicy(retry_failed=False)


@pytest.mark.parametrize(
    ("fault", "now", "wanted"),
    [
        param(SLOW, {}, Stop(End.ALL_ATTEMPTS_FAILED), id="never-the-next-target"),
        param(DOWN, {}, Again(1.1), id="but-the-same-once-more"),
        param(CUT, {"content_sent": True, "recovery": StreamRecovery.RESTART}, Stop(End.STREAM_BROKEN),
              id="nor-mid-stream"),
    ],
)  # fmt: skip
def test_retry_failed_false(fault: Fault, now: dict[str, Any], wanted: Move) -> None:
    assert move(fault, policy=NO_FALLBACK, **now) == wanted


@pytest.mark.parametrize(("chance", "after_s"), [(0.0, 0.2), (0.5, 1.1), (0.999999, 2.0)])
def test_back_off_is_jittered_between_its_bounds(chance: float, after_s: float) -> None:
    again = move(DOWN, chance)
    assert isinstance(again, Again)
    assert again.after_s == pytest.approx(after_s, abs=1e-4)


def test_every_wait_scales() -> None:
    now = Situation(attempts=1, tries_here=1, untried=(), time_left_s=100)
    assert next_move(limited(2.0), now, RetryPolicy(), 0.0, scale=0.01) == Again(0.02)
    assert next_move(DOWN, now, RetryPolicy(), 0.0, scale=0.01) == Again(0.002)


def leaves(kind: type[Fault] = Fault) -> list[type[Fault]]:
    return [kind for each in kind.__subclasses__() for kind in (leaves(each) or [each])]


some_faults = st.builds(
    lambda kind, after_s: kind(retry_after_s=after_s), st.sampled_from(leaves()), st.none() | st.floats(0, 10)
)


@given(st.data())
def test_any_course_of_faults(data: st.DataObject) -> None:
    """At most 1 + max_retries attempts, a silent target never twice, at most 2 tries of a target in 1.5 s, an end."""
    policy = RetryPolicy(max_retries=data.draw(st.integers(0, 5)), retry_failed=data.draw(st.booleans()))
    untried = data.draw(st.lists(st.integers(0, 3), max_size=5))
    targets_left, attempts, tries, keys_left, now_s = list(range(len(untried))), 0, 0, 2, 0.0
    here, tried_at, silent = -1, [0.0], set[int]()
    while True:
        attempts, tries = attempts + 1, tries + 1
        assert here not in silent
        assert len([at for at in tried_at if at > now_s - HAMMER_S]) <= 2 or keys_left < 2
        fault = data.draw(some_faults)
        if isinstance(
            fault, faults.ConnectTimeout | faults.FirstTokenTimeout | faults.ResponseTimeout | faults.Stalled
        ):
            silent.add(here)
        keys_left -= isinstance(fault, faults.KeyRejected)
        situation = Situation(
            attempts=attempts, tries_here=tries, untried=[untried[place] for place in targets_left],
            time_left_s=data.draw(st.floats(-1, 100)), context_tokens=untried[here] if here >= 0 else 1,
            keys_left=max(keys_left, 0), content_sent=data.draw(st.booleans()),
            recovery=data.draw(st.sampled_from(StreamRecovery)),
        )  # fmt: skip
        match next_move(fault, situation, policy, data.draw(st.floats(0, 0.999))):
            case Stop():
                break
            case Again(after_s):
                assert 0 <= after_s < situation.time_left_s
                now_s += after_s
                tried_at.append(now_s)
            case Next(_, place):
                assert policy.retry_failed
                here = targets_left[place]
                targets_left = targets_left[place + 1 :]
                tries, keys_left, tried_at = 0, 2, [now_s]
    assert attempts <= 1 + policy.max_retries

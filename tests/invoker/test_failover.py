"""The failover table of contracts.md §3 over real sockets: what providers do, who was tried, what the caller saw.

Scripts are acts of `tests.support.hostile`; `tried` names the provider of each attempt; all waits are scaled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import CallRecord, CallStatus, StreamRecovery, Target, Timeouts, UsageSource
from sidecar.core.catalog import Key, ModelFacts, RetryPolicy
from sidecar.invoker import CallFailed, Outcome
from tests.invoker.conftest import DEAD, MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act
from tests.support.rig import SCALE, Rig, kinds, text_of

param = pytest.param
OK = (on.answer("hello there"),)
DOWN, DOWN_500, TIMED_OUT = on.status(503), on.status(500), on.status(408)
ODD = on.status(529)
LIMITED = on.status(429)
SHORT, LONG = on.status(429, retry_after="2"), on.status(429, retry_after="30")
SHORT_MS = on.status(429, retry_after_ms="1500")
SILENT, RESET = on.silence, on.reset
CUT_AT_ONCE, STALLED_AT_ONCE = on.breaking(0, on.reset), on.breaking(0, on.silence)
GARBAGE = on.status(200, b"<html>hello</html>")


def tried(record: CallRecord) -> str:
    return "".join(attempt.target.provider for attempt in record.attempts)


def told(record: CallRecord) -> tuple[str, str, str, str]:
    return tried(record), record.status.value, record.fallback_reason, record.provider_of_record


BEFORE_CONTENT = [
    # id, scripts of a and b, attempts, fallback reason
    ("first-try", [OK, OK], "a", ""),
    ("not-there", [DEAD, OK], "aab", "CONNECTION"),
    ("not-there-and-back", [[RESET, *OK], OK], "aa", ""),
    ("reset-before-headers", [[RESET], OK], "aab", "CONNECTION"),
    ("408", [[TIMED_OUT], OK], "aab", "PROVIDER_ERROR"),
    ("500", [[DOWN_500], OK], "aab", "PROVIDER_ERROR"),
    ("503", [[DOWN], OK], "aab", "PROVIDER_ERROR"),
    ("503-flapping", [[DOWN, *OK], OK], "aa", ""),
    ("529", [[ODD], OK], "aab", "PROVIDER_ERROR"),
    ("no-try-to-spare-for-the-same", [[DOWN], [DOWN], [DOWN], OK], "abcd", "PROVIDER_ERROR"),
    ("429-obeyed", [[SHORT, *OK], OK], "aa", ""),
    ("429-in-milliseconds-obeyed", [[SHORT_MS, *OK], OK], "aa", ""),
    ("429-twice", [[SHORT], OK], "aab", "RATE_LIMITED"),
    ("429-too-long", [[LONG], OK], "ab", "RATE_LIMITED"),
    ("429-without-a-wait", [[LIMITED], OK], "ab", "RATE_LIMITED"),
    ("401", [[on.UNAUTHORIZED], OK], "ab", "KEY_REJECTED"),
    ("404-model", [[on.NO_MODEL], OK], "ab", "MODEL_NOT_FOUND"),
]
UNARY = [
    ("silent", [[SILENT], OK], "ab", "TIMEOUT"),
    ("garbage", [[GARBAGE], OK], "ab", "GARBLED"),
    ("50-MB", [[on.huge()], OK], "ab", "GARBLED"),
]
STREAMED = [
    ("no-first-event", [[SILENT], OK], "ab", "TTFT"),
    ("headers-and-no-event", [[STALLED_AT_ONCE], OK], "ab", "TTFT"),
    ("only-comments", [[on.breaking(0, on.comments)], OK], "ab", "TTFT"),
    ("cut-before-content", [[CUT_AT_ONCE], OK], "ab", "STALL"),
    ("ended-before-content", [[on.breaking(0, on.quiet_end)], OK], "ab", "STALL"),
    ("garbage", [[on.events(b"<html>", b"{")], OK], "ab", "STALL"),
    ("error-event-before-content", [[on.events(b'{"error": {"message": "x", "code": 503}}')], OK], "aab",
     "PROVIDER_ERROR"),
    ("slow-first-event", [[on.late(OK[0], 0.1)], OK], "a", ""),
]  # fmt: skip


def table(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("scripts", "order", "reason"), table(BEFORE_CONTENT + UNARY))
async def test_unary(scene: MakeScene, scripts: list[Sequence[Act]], order: str, reason: str) -> None:
    rig, _ = await scene(*scripts)
    outcome = await rig.ask()
    assert isinstance(outcome, Outcome)
    assert told(outcome.record) == (order, "ok", reason, order[-1])
    assert outcome.payload.choices[0].message.text == "hello there"
    assert rig.record is outcome.record
    assert outcome.record.fallback_used == bool(reason)
    assert [start.attempts[-1].number for start in rig.book.starts] == list(range(1, len(order) + 1))


@pytest.mark.parametrize("recovery", StreamRecovery)
@pytest.mark.parametrize(("scripts", "order", "reason"), table(BEFORE_CONTENT + STREAMED))
async def test_streamed(
    scene: MakeScene, scripts: list[Sequence[Act]], order: str, reason: str, recovery: StreamRecovery
) -> None:
    """Before content has gone out a target is replaced unseen, whatever recovery is asked for."""
    rig, _ = await scene(*scripts)
    events, failure = await rig.listen(stream_recovery=recovery)
    assert failure is None
    assert told(rig.record) == (order, "ok", reason, order[-1])
    assert kinds(events) == ["StreamStarted", "Delta", "Delta", "Outcome"]
    assert text_of(events) == "hellothere"


FAILING = [
    ("not-there", [DEAD], "aa", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "connect_error"),
    ("503", [[DOWN]], "aa", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "server_error"),
    ("503-both", [[DOWN], [DOWN]], "aabb", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "server_error"),
    ("429-too-long", [[LONG]], "a", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "rate_limited"),
    ("429-for-ever", [[SHORT]], "aaaa", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "rate_limited"),
    ("429-without-a-wait", [[LIMITED]], "aa", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "rate_limited"),
    ("silent", [[SILENT]], "a", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", ""),
    ("400", [[on.BAD_REQUEST], OK], "a", "INVALID_ARGUMENT", "INVALID_REQUEST", "invalid_request"),
    ("413", [[on.status(413)], OK], "a", "INVALID_ARGUMENT", "INVALID_REQUEST", "invalid_request"),
    ("422", [[on.status(422)], OK], "a", "INVALID_ARGUMENT", "INVALID_REQUEST", "invalid_request"),
    ("filter", [[on.CONTENT_FILTER], OK], "a", "FAILED_PRECONDITION", "CONTENT_FILTERED", "content_filtered"),
    ("401", [[on.UNAUTHORIZED]], "a", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "key_rejected"),
    ("404", [[on.NO_MODEL]], "a", "NOT_FOUND", "MODEL_NOT_FOUND", "model_not_found"),
    ("404-both", [[on.NO_MODEL], [on.NO_MODEL]], "ab", "NOT_FOUND", "MODEL_NOT_FOUND", "model_not_found"),
    ("404-after-503", [[DOWN], [on.NO_MODEL]], "aab", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED", "model_not_found"),
    ("a-fallbacks-400-hides-no-failure", [[DOWN], [on.BAD_REQUEST]], "aab", "UNAVAILABLE", "ALL_ATTEMPTS_FAILED",
     "invalid_request"),
    ("context-length", [[on.CONTEXT_LENGTH], OK], "a", "INVALID_ARGUMENT", "CONTEXT_LENGTH_EXCEEDED",
     "context_length"),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize(("scripts", "order", "wanted"), [param(*row[1:3], row[3:], id=row[0]) for row in FAILING])
async def test_failing(
    scene: MakeScene, scripts: list[Sequence[Act]], order: str, wanted: tuple[str, ...], streamed: bool
) -> None:
    """`wanted`: gRPC status, reason, error_type of the record."""
    rig, _ = await scene(*scripts)
    ending = (await rig.listen())[1] if streamed else await rig.ask()
    assert isinstance(ending, CallFailed)
    record = rig.record
    assert (tried(record), record.status, record.provider_of_record) == (order, CallStatus.ERROR, "")
    error = wanted[2] or ("ttft_timeout" if streamed else "response_timeout")
    assert (ending.refusal.grpc_status, ending.refusal.reason, record.error_type) == (*wanted[:2], error)
    assert record.grpc_status == wanted[0]
    assert ending.record is record
    assert (record.usage_source, record.cost.amount_picodollars) == (UsageSource.NONE, 0)


async def test_the_providers_reason_reaches_the_caller_and_no_log(scene: MakeScene) -> None:
    rig, _ = await scene([on.BAD_REQUEST])
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert ending.refusal.message == "a refused the request: canary: temperature must be below 2"
    assert ending.record.attempts[0].message == "canary: temperature must be below 2"
    assert "canary" not in repr(rig.notes.lines)


async def test_all_failed_names_every_attempt(scene: MakeScene) -> None:
    rig, _ = await scene([LONG], [DOWN])
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert ending.refusal.message.split("\n") == [
        "Request failed after all retry attempts:",
        "a/ma: rate limited (HTTP 429): status 429",
        "b/mb: server error (HTTP 503): status 503",
        "Fallback provider failed: b/mb: server error (HTTP 503): status 503",
    ]


async def test_model_not_found_names_provider_and_model(scene: MakeScene) -> None:
    rig, _ = await scene([on.NO_MODEL])
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert ending.refusal.message == "Model not found: 'ma' at provider 'a'"


async def test_context_length_goes_to_a_larger_context(scene: MakeScene) -> None:
    rig, providers = await scene([on.CONTEXT_LENGTH], OK, OK)
    give_contexts(rig, {"ma": 8, "mb": 8, "mc": 128})
    outcome = await rig.ask()
    assert told(outcome.record) == ("ac", "ok", "CONTEXT_LENGTH", "c")
    assert [(skip.target.provider, skip.reason) for skip in outcome.record.skips] == [("b", "CONTEXT_LENGTH")]
    assert not providers[1].hits


def give_contexts(rig: Rig, contexts: dict[str, int]) -> None:
    rig.tariff.facts_of = {model: ModelFacts(tokens) for model, tokens in contexts.items()}


async def test_retry_after_is_obeyed_and_never_hammered(scene: MakeScene) -> None:
    """The gaps at the provider, unscaled: at least what it asked for, and no three tries within 1.5 s."""
    rig, (a,) = await scene([SHORT, on.status(429, retry_after_ms="10"), *OK])
    await rig.ask()
    gaps_s = [gap_s / SCALE for gap_s in a.gaps_s]
    assert gaps_s[0] >= 2.0
    assert gaps_s[1] >= 1.5


async def test_a_timer_that_rings_early_ends_no_wait(scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop's are rounded to milliseconds: a target that asked for a pause is not passed over for the last of them."""
    sleep = asyncio.sleep

    async def early(for_s: float) -> None:
        await sleep(max(for_s - 0.002, 0.0))

    rig, _ = await scene([SHORT, *OK], OK)
    monkeypatch.setattr(asyncio, "sleep", early)
    outcome = await rig.ask()
    assert told(outcome.record) == ("aa", "ok", "", "a")


async def test_back_off_lies_between_its_bounds(scene: MakeScene) -> None:
    rig, (a,) = await scene([DOWN, *OK])
    outcome = await rig.ask()
    assert a.gaps_s[0] / SCALE >= 0.2
    assert outcome.record.overhead_ns < outcome.record.duration_ns - outcome.record.provider_ns


async def test_a_cooling_target_is_passed_over_by_the_next_call(scene: MakeScene) -> None:
    rig, (a, _) = await scene([LONG], OK)
    await rig.ask()
    outcome = await rig.ask()
    assert told(outcome.record) == ("b", "ok", "RATE_LIMITED", "b")
    assert outcome.record.skips[0].reason == "RATE_LIMITED"
    assert len(a.hits) == 1


async def test_where_there_is_no_other_a_cooling_target_is_waited_for(scene: MakeScene) -> None:
    rig, (a,) = await scene([on.status(429, retry_after="4.5"), *OK], retry=RetryPolicy(0))
    await rig.ask()
    outcome = await rig.ask()
    assert told(outcome.record) == ("a", "ok", "", "a")
    assert outcome.record.queued_ns > 0
    assert a.gaps_s[0] / SCALE >= 4.5


async def test_an_open_circuit_is_passed_over_and_told(scene: MakeScene) -> None:
    rig, (a, _) = await scene([DOWN], OK)
    for _ in range(3):
        await rig.ask()
    assert len(a.hits) == 5, "the fifth failure in a row opens it"
    outcome = await rig.ask()
    assert told(outcome.record) == ("b", "ok", "CIRCUIT_OPEN", "b")
    assert len(a.hits) == 5


async def test_all_circuits_open(scene: MakeScene) -> None:
    rig, (a,) = await scene([DOWN])
    for _ in range(3):
        await rig.ask()
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert ending.refusal.reason == "NO_PROVIDER_AVAILABLE"
    assert ending.refusal.message.startswith("No available AI providers: a (circuit open until ")
    assert ending.refusal.retry_after_s is not None
    assert ending.record.status is CallStatus.REFUSED
    assert len(a.hits) == 5


async def test_the_next_key_of_an_account(scene: MakeScene) -> None:
    rig, (a,) = await scene([on.UNAUTHORIZED, *OK])
    keys = (Key("k1", "sk-first"), Key("k2", "sk-second"))
    rig.catalog = replace(rig.catalog, accounts={"a": replace(rig.catalog.accounts["a"], keys=keys)})
    outcome = await rig.ask()
    assert (tried(outcome.record), a.keys, outcome.record.key_id) == ("aa", ["sk-first", "sk-second"], "k2")
    assert not outcome.record.fallback_used
    await rig.ask()
    assert a.keys[2:] == ["sk-second"], "the rejected key stays aside"


async def test_retry_failed_false_never_tries_the_next_target(scene: MakeScene) -> None:
    rig, (_, b) = await scene([SILENT], OK, retry=RetryPolicy(retry_failed=False))
    assert isinstance(await rig.ask(), CallFailed)
    assert not b.hits


@pytest.mark.parametrize("max_retries", [0, 1, 2])
async def test_at_most_one_and_max_retries_attempts(scene: MakeScene, max_retries: int) -> None:
    rig, _ = await scene([DOWN], [DOWN], [DOWN], [DOWN], retry=RetryPolicy(max_retries))
    await rig.ask()
    assert len(rig.record.attempts) == 1 + max_retries


async def test_a_direct_target_has_no_fallback(scene: MakeScene) -> None:
    rig, (_, b) = await scene([SILENT], OK)
    ending = await rig.ask(alias="", target=Target("a", "any"))
    assert isinstance(ending, CallFailed)
    assert (tried(ending.record), ending.record.model_requested) == ("a", "any")
    assert not b.hits


@pytest.mark.parametrize(
    ("own", "seconds"),
    [
        param("call", 0.05, id="of-the-call"),
        param("alias", 0.05, id="of-the-alias"),
        param("", 60 * SCALE, id="of-the-system"),
    ],
)
async def test_whose_response_time_counts(scene: MakeScene, own: str, seconds: float) -> None:
    short = Timeouts(response_s=0.05 / SCALE)
    rig, _ = await scene([SILENT], alias={"timeouts": short} if own == "alias" else None)
    ending = await rig.ask(**({"timeouts": short} if own == "call" else {}))
    assert isinstance(ending, CallFailed)
    assert seconds <= ending.record.duration_ns / 1e9 < seconds + 1

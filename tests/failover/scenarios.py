"""The scenarios: the failover table of docs/routing.md, row by row, in every mode, with one fallback and with none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.failover.table import SCALE, WORDS, Scenario, all_modes, by_mode, no, ok, unary_and_streams
from tests.support import hostile as on
from tests.support.hostile import Act

USAGE = {"prompt_tokens": 1000, "completion_tokens": 60, "total_tokens": 1060}
WHOLE = " ".join(f"w{number}" for number in range(WORDS))
OTHER = "the fallback says something else"
MODEL, OTHER_MODEL = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
GOOD = on.answer(WHOLE, usage=USAGE, model=MODEL)
FALLBACK = on.answer(OTHER, usage={"prompt_tokens": 1000, "completion_tokens": 5}, model=OTHER_MODEL)
FIRST_TRY = all_modes(ok("a"))
SECOND_TRY = all_modes(ok("aa"))
STOPS = "INVALID_REQUEST"


def _breaks(name: str, act: Act, *, alone: str = "a", moved: str = "STALL", unary_moved: str = "", again: bool = False,
            unary_s: float = 0.0, stream_s: float = 0.0, **more: Any) -> Scenario:  # fmt: skip
    """A stream that breaks off after its first words, and the unary answer that does the like.

    `alone`: who is tried where there is no fallback and no content has gone out. `again`: there, too, the same target
    is tried once more before the next.
    """
    tried = "aab" if again else "ab"
    broken = no("a", "STREAM_BROKEN", waits_s=stream_s)
    rescued = by_mode(
        ok(tried, unary_moved or moved, waits_s=unary_s),
        broken,
        ok("ab", moved, restarts=True, waits_s=stream_s),
        ok(tried, moved, waits_s=stream_s),
    )
    lost = by_mode(no(alone, waits_s=unary_s), broken, broken, no(alone, waits_s=stream_s))
    return Scenario(name, a=(act,), rescued=rescued, alone=lost, **more)


def _status(code: int) -> list[Scenario]:
    down = on.status(code)
    classic = {500: ("500 once", ""), 503: ("", "503 for ever")}.get(code, ("", ""))
    return [
        Scenario(f"{code} once", a=(down, GOOD), rescued=SECOND_TRY, alone=SECOND_TRY, classic=classic[0]),
        Scenario(
            f"{code} for ever",
            a=(down,),
            rescued=all_modes(ok("aab", "PROVIDER_ERROR")),
            alone=all_modes(no("aa")),
            classic=classic[1],
        ),
    ]


def _next(name: str, moved: str, *acts: Act, alone: str = "a", **more: Any) -> Scenario:
    """Seen before any content: the next target at once."""
    return Scenario(name, a=acts, rescued=all_modes(ok("ab", moved)), alone=all_modes(no(alone)), **more)


def _stops(name: str, refusal: str, *acts: Act, **more: Any) -> Scenario:
    """No other target is asked."""
    cell = all_modes(no("a", refusal))
    return Scenario(name, a=acts, rescued=cell, alone=cell, **more)


CONNECTION = [
    Scenario(
        "connection refused",
        at="dead",
        rescued=all_modes(ok("aab", "CONNECTION")),
        alone=all_modes(no("aa")),
    ),
    Scenario(
        "connecting hangs",
        at="deaf",
        own_waits=frozenset({"connect"}),
        rescued=all_modes(ok("ab", "TIMEOUT", waits_s=5)),
        alone=all_modes(no("a", waits_s=5)),
    ),
    Scenario("reset before headers, once", a=(on.reset, GOOD), rescued=SECOND_TRY, alone=SECOND_TRY),
    Scenario(
        "reset before headers",
        a=(on.reset,),
        rescued=all_modes(ok("aab", "CONNECTION")),
        alone=all_modes(no("aa")),
        classic="reset before headers",
    ),
]
STATUS = [scenario for code in (408, 500, 502, 503, 504, 529) for scenario in _status(code)]
LIMITS = [
    Scenario(
        "429 with a short Retry-After",
        a=(on.status(429, retry_after="2"), GOOD),
        rescued=all_modes(ok("aa", waits_s=2)),
        alone=all_modes(ok("aa", waits_s=2)),
        classic="429 with Retry-After",
    ),
    Scenario(
        "429 with retry-after-ms",
        a=(on.status(429, retry_after_ms="1500"), GOOD),
        rescued=all_modes(ok("aa", waits_s=1.5)),
        alone=all_modes(ok("aa", waits_s=1.5)),
    ),
    Scenario(
        "429 with a short Retry-After, for ever",
        a=(on.status(429, retry_after="2"),),
        rescued=all_modes(ok("aab", "RATE_LIMITED", waits_s=2)),
        alone=all_modes(no("aaaa", waits_s=6)),
    ),
    Scenario(
        "429 with Retry-After 0, for ever",
        a=(on.status(429, retry_after="0"),),
        rescued=all_modes(ok("aab", "RATE_LIMITED")),
        alone=all_modes(no("aaaa", waits_s=3)),
    ),
    _next("429 with a long Retry-After", "RATE_LIMITED", on.status(429, retry_after="30")),
    _next("429 without Retry-After", "RATE_LIMITED", on.status(429), alone="aa", classic="429 without Retry-After"),
    Scenario(
        "429 without Retry-After, once",
        a=(on.status(429), GOOD),
        rescued=all_modes(ok("ab", "RATE_LIMITED")),
        alone=SECOND_TRY,
    ),
    _next("429 out of quota", "RATE_LIMITED", on.refusal(429, "quota", name="insufficient_quota"), alone="aa"),
]
SILENCE = [
    Scenario(
        "silence",
        a=(on.silence,),
        own_waits=frozenset({"ttft", "response"}),
        rescued=unary_and_streams(ok("ab", "TIMEOUT", waits_s=60), ok("ab", "TTFT", waits_s=10)),
        alone=unary_and_streams(no("a", waits_s=60), no("a", waits_s=10)),
        classic="silence",
    ),
    Scenario(
        "first token after 20 s",
        a=(on.late(GOOD, 20 * SCALE),),
        own_waits=frozenset({"ttft", "response"}),
        rescued=unary_and_streams(ok("a", waits_s=20), ok("ab", "TTFT", waits_s=10)),
        alone=unary_and_streams(ok("a", waits_s=20), no("a", waits_s=10)),
        classic="first token after 20 s",
    ),
    Scenario(
        "headers and then nothing",
        a=(on.breaking(0, on.silence),),
        own_waits=frozenset({"ttft", "response"}),
        rescued=unary_and_streams(ok("ab", "TIMEOUT", waits_s=60), ok("ab", "TTFT", waits_s=10)),
        alone=unary_and_streams(no("a", waits_s=60), no("a", waits_s=10)),
    ),
]
STREAMS = [
    _breaks("cut after 40 of 60 tokens", on.breaking(40, on.reset, WORDS), classic="stream cut after 40 of 60 tokens"),
    _breaks("ended after 40 of 60 tokens, no finish reason", on.breaking(40, on.quiet_end, WORDS)),
    _breaks(
        "stall after 20 tokens",
        on.breaking(20, on.silence, WORDS),
        unary_s=60,
        stream_s=20,
        unary_moved="TIMEOUT",
        own_waits=frozenset({"stall", "response"}),
        classic="stall after 20 tokens",
    ),
    _breaks(
        "only keep-alive comments after 20 tokens",
        on.either(on.silence, on.breaking(20, on.comments)),
        unary_s=60,
        stream_s=20,
        unary_moved="TIMEOUT",
        own_waits=frozenset({"stall", "response"}),
    ),
    Scenario(
        "malformed event in mid-stream",
        a=(on.answer(WHOLE, usage=USAGE, model=MODEL, spoilt=True),),
        rescued=FIRST_TRY,
        alone=FIRST_TRY,
        classic="malformed event in mid-stream",
    ),
    _breaks(
        "undecodable from mid-stream on",
        on.either(on.status(200, b'{"choices": [{"mess'), on.breaking(20, on.garbage_for_ever)),
        stream_s=20,
        unary_moved="GARBLED",
        own_waits=frozenset({"stall"}),
    ),
    _breaks(
        "undecodable from mid-stream on, and [DONE]",
        on.either(on.status(200, b"[DONE]"), on.breaking(20, on.garbage_and_done)),
        unary_moved="GARBLED",
    ),
    _breaks(
        "[DONE] after 40 of 60 tokens, no finish reason",
        on.either(on.breaking(40, on.quiet_end, WORDS), on.breaking(40, on.done)),
    ),
    Scenario(
        "no [DONE]",
        a=(on.answer(WHOLE, usage=USAGE, end=b"", model=MODEL),),
        rescued=FIRST_TRY,
        alone=FIRST_TRY,
        classic="no [DONE]",
    ),
    Scenario(
        "no [DONE], and the connection stays open",
        a=(on.answer(WHOLE, end=b"", usage=None, hold=True, model=MODEL),),
        rescued=FIRST_TRY,
        alone=FIRST_TRY,
    ),
    _breaks(
        "503 as an event in mid-stream",
        on.either(on.error_body(503, "overloaded"), on.breaking(40, on.error_event(503, "overloaded"))),
        alone="aa",
        moved="PROVIDER_ERROR",
        again=True,
    ),
    _breaks(
        "429 as an event in mid-stream",
        on.either(on.error_body(429, "slow down"), on.breaking(40, on.error_event(429, "slow down"))),
        alone="aa",
        moved="RATE_LIMITED",
    ),
    Scenario(
        "503 as the first event",
        a=(on.either(on.error_body(503, "overloaded"), on.breaking(0, on.error_event(503, "overloaded"))),),
        rescued=all_modes(ok("aab", "PROVIDER_ERROR")),
        alone=all_modes(no("aa")),
    ),
]
REFUSED = [
    Scenario(
        "context length, the fallback's is larger",
        a=(on.CONTEXT_LENGTH,),
        models=("gpt-4", "gpt-4o-mini"),
        rescued=all_modes(ok("ab", "CONTEXT_LENGTH")),
        alone=all_modes(no("a", "CONTEXT_LENGTH_EXCEEDED")),
        classic="context length",
    ),
    _stops(
        "context length, the fallback's is no larger",
        "CONTEXT_LENGTH_EXCEEDED",
        on.CONTEXT_LENGTH,
        models=("gpt-4o-mini", "gpt-4"),
    ),
    _stops("content filter", "CONTENT_FILTERED", on.CONTENT_FILTER, classic="content filter"),
    _stops("400", STOPS, on.BAD_REQUEST),
    _stops("413", STOPS, on.status(413)),
    _stops("422", STOPS, on.status(422)),
    _next("401", "KEY_REJECTED", on.UNAUTHORIZED),
    _next("403", "KEY_REJECTED", on.status(403)),
    Scenario(
        "404 model",
        a=(on.NO_MODEL,),
        rescued=all_modes(ok("ab", "MODEL_NOT_FOUND")),
        alone=all_modes(no("a", "MODEL_NOT_FOUND")),
    ),
]
GARBAGE = [
    Scenario(
        "a page of HTML under 200",
        a=(on.status(200, b"<html>hello</html>", content_type="text/html"),),
        rescued=unary_and_streams(ok("ab", "GARBLED"), ok("ab", "STALL")),
        alone=all_modes(no("a")),
    ),
    Scenario(
        "an empty body under 200",
        a=(on.status(200, b""),),
        rescued=unary_and_streams(ok("ab", "GARBLED"), ok("ab", "STALL")),
        alone=all_modes(no("a")),
    ),
    _next("50 MB", "GARBLED", on.huge()),
    _next("a gzip bomb", "GARBLED", on.bomb()),
    Scenario(
        "a redirect",
        a=(on.status(302, location="http://127.0.0.1:9/elsewhere"),),
        rescued=all_modes(ok("aab", "PROVIDER_ERROR")),
        alone=all_modes(no("aa")),
    ),
]
BOTH = [
    Scenario(
        "503 here and there",
        a=(on.status(503),),
        b=(on.status(503),),
        rescued=all_modes(no("aabb", moved="PROVIDER_ERROR")),
        alone=all_modes(no("aa")),
    ),
    Scenario(
        "503, and the fallback refuses the request itself",
        a=(on.status(503),),
        b=(on.BAD_REQUEST,),
        rescued=all_modes(no("aab", moved="PROVIDER_ERROR")),
        alone=all_modes(no("aa")),
    ),
    _breaks(
        "cut, and the fallback rejects an assistant prefill",
        on.breaking(40, on.reset, WORDS),
        b=(on.no_prefill(FALLBACK),),
        classic="a fallback that rejects an assistant prefill",
    ),
    Scenario(
        "silence here and there",
        a=(on.silence,),
        b=(on.silence,),
        own_waits=frozenset({"ttft", "response"}),
        b_waits_too=True,
        rescued=unary_and_streams(no("ab", moved="TIMEOUT", waits_s=120), no("ab", moved="TTFT", waits_s=20)),
        alone=unary_and_streams(no("a", waits_s=60), no("a", waits_s=10)),
    ),
    Scenario(
        "accounting",
        a=(on.status(503, {"error": {"message": "down"}, "usage": USAGE}),),
        rescued=all_modes(ok("aab", "PROVIDER_ERROR")),
        alone=all_modes(no("aa")),
        classic="failover accounting",
    ),
]
SCENARIOS: Sequence[Scenario] = [
    replace(scenario, b=scenario.b or (FALLBACK,))
    for scenario in (*CONNECTION, *STATUS, *LIMITS, *SILENCE, *STREAMS, *REFUSED, *GARBAGE, *BOTH)
]

"""What is seen before any content: no connection, an error status, silence."""

from __future__ import annotations

from tests.failover.rows import GOOD, down, next_target, second_try
from tests.failover.table import SCALE, Scenario, all_modes, no, ok, unary_and_streams
from tests.support import hostile as on


def by_status(code: int) -> list[Scenario]:
    once, for_ever = {500: ("500 once", ""), 503: ("", "503 for ever")}.get(code, ("", ""))
    return [
        second_try(f"{code} once", on.status(code), GOOD, classic=once),
        down(f"{code} for ever", on.status(code), classic=for_ever),
    ]


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
    second_try("reset before headers, once", on.reset, GOOD),
    down("reset before headers", on.reset, moved="CONNECTION", classic="reset before headers"),
]
LIMITS = [
    second_try(
        "429 with a short Retry-After", on.status(429, retry_after="2"), GOOD, waits_s=2, classic="429 with Retry-After"
    ),
    second_try("429 with retry-after-ms", on.status(429, retry_after_ms="1500"), GOOD, waits_s=1.5),
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
    next_target("429 with a long Retry-After", "RATE_LIMITED", on.status(429, retry_after="30")),
    next_target(
        "429 without Retry-After", "RATE_LIMITED", on.status(429), alone="aa", classic="429 without Retry-After"
    ),
    Scenario(
        "429 without Retry-After, once",
        a=(on.status(429), GOOD),
        rescued=all_modes(ok("ab", "RATE_LIMITED")),
        alone=all_modes(ok("aa")),
    ),
    next_target("429 out of quota", "RATE_LIMITED", on.refusal(429, "quota", name="insufficient_quota"), alone="aa"),
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
STATUS = [scenario for code in (408, 500, 502, 503, 504, 529) for scenario in by_status(code)]
BEFORE = [*CONNECTION, *STATUS, *LIMITS, *SILENCE]

"""The same in other wires' words: what breaks off, stalls or reports trouble in mid-stream, with one fallback."""

from __future__ import annotations

from dataclasses import replace

from tests.failover.rows import USAGE, WHOLE, breaks, first_try, next_target, second_try
from tests.failover.table import WORDS, Account, Scenario, all_modes, ok, unary_and_streams
from tests.support import hostile as on

WIRES = (
    Account("anthropic", "", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    Account("cohere", "/v2", "command-r-plus-08-2024", ""),
    Account("gemini", "", "gemini-2.0-flash", "gemini-2.0-flash"),
    Account("ollama", "", "llama3.2", "llama3.2", free=True),
    Account("openai", "/v1", "gpt-4o", "gpt-4o-2024-08-06", setting='api = "responses"'),
)


def _of(wire: Account) -> list[Scenario]:
    good = on.answer(WHOLE, usage=USAGE, model=wire.reports)
    scenarios = [
        first_try("a good answer", good),
        breaks("cut after 40 of 60 tokens", on.breaking(40, on.reset, WORDS)),
        breaks("ended after 40 of 60 tokens", on.breaking(40, on.quiet_end, WORDS)),
        breaks(
            "stall after 20 tokens",
            on.breaking(20, on.silence, WORDS),
            unary_s=60,
            stream_s=20,
            unary_moved="TIMEOUT",
            own_waits=frozenset({"stall", "response"}),
        ),
        first_try("malformed event in mid-stream", on.answer(WHOLE, usage=USAGE, model=wire.reports, spoilt=True)),
        breaks(
            "undecodable from mid-stream on",
            on.either(on.status(200, b'{"mess'), on.breaking(20, on.garbage_for_ever)),
            stream_s=20,
            unary_moved="GARBLED",
            own_waits=frozenset({"stall"}),
        ),
        breaks(
            "an error as an event in mid-stream",
            on.either(on.status(503), on.breaking(40, on.error_event(503, "overloaded"))),
            moved="PROVIDER_ERROR",
            again=True,
        ),
        Scenario(
            "silence",
            a=(on.silence,),
            own_waits=frozenset({"ttft", "response"}),
            rescued=unary_and_streams(ok("ab", "TIMEOUT", waits_s=60), ok("ab", "TTFT", waits_s=10)),
        ),
        Scenario("503 for ever", a=(on.status(503),), rescued=all_modes(ok("aab", "PROVIDER_ERROR"))),
        second_try("429 with a short Retry-After", on.status(429, retry_after="2"), good, waits_s=2),
        next_target("401", "KEY_REJECTED", on.status(401)),
    ]
    if wire.type == "anthropic":  # the others' terminal event is the one that has the finish reason
        scenarios.append(breaks("message_stop after 40 of 60 tokens, no stop reason", on.breaking(40, on.done, WORDS)))
    named = "responses" if wire.setting else wire.type
    return [
        replace(each, name=f"{named}: {each.name}", alone={}, account=wire, models=(wire.model, each.models[1]))
        for each in scenarios
    ]


WIRE_SCENARIOS = [scenario for wire in WIRES for scenario in _of(wire)]

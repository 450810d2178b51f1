"""Streams that break off or end oddly, and unary answers that do the like."""

from __future__ import annotations

from tests.failover.rows import MODEL, USAGE, WHOLE, breaks, down, first_try
from tests.failover.table import WORDS
from tests.support import hostile as on

WITHIN = [
    breaks("cut after 40 of 60 tokens", on.breaking(40, on.reset, WORDS), classic="stream cut after 40 of 60 tokens"),
    breaks("ended after 40 of 60 tokens, no finish reason", on.breaking(40, on.quiet_end, WORDS)),
    breaks(
        "stall after 20 tokens",
        on.breaking(20, on.silence, WORDS),
        unary_s=60,
        stream_s=20,
        unary_moved="TIMEOUT",
        own_waits=frozenset({"stall", "response"}),
        classic="stall after 20 tokens",
    ),
    breaks(
        "only keep-alive comments after 20 tokens",
        on.either(on.silence, on.breaking(20, on.comments)),
        unary_s=60,
        stream_s=20,
        unary_moved="TIMEOUT",
        own_waits=frozenset({"stall", "response"}),
    ),
    first_try(
        "malformed event in mid-stream",
        on.answer(WHOLE, usage=USAGE, model=MODEL, spoilt=True),
        classic="malformed event in mid-stream",
    ),
    breaks(
        "undecodable from mid-stream on",
        on.either(on.status(200, b'{"choices": [{"mess'), on.breaking(20, on.garbage_for_ever)),
        stream_s=20,
        unary_moved="GARBLED",
        own_waits=frozenset({"stall"}),
    ),
    breaks(
        "undecodable from mid-stream on, and [DONE]",
        on.either(on.status(200, b"[DONE]"), on.breaking(20, on.garbage_and_done)),
        unary_moved="GARBLED",
    ),
    breaks(
        "[DONE] after 40 of 60 tokens, no finish reason",
        on.either(on.breaking(40, on.quiet_end, WORDS), on.breaking(40, on.done)),
    ),
    first_try("no [DONE]", on.answer(WHOLE, usage=USAGE, end=b"", model=MODEL), classic="no [DONE]"),
    first_try(
        "no [DONE], and the connection stays open", on.answer(WHOLE, end=b"", usage=None, hold=True, model=MODEL)
    ),
    breaks(
        "503 as an event in mid-stream",
        on.either(on.error_body(503, "overloaded"), on.breaking(40, on.error_event(503, "overloaded"))),
        alone="aa",
        moved="PROVIDER_ERROR",
        again=True,
    ),
    breaks(
        "429 as an event in mid-stream",
        on.either(on.error_body(429, "slow down"), on.breaking(40, on.error_event(429, "slow down"))),
        alone="aa",
        moved="RATE_LIMITED",
    ),
    down(
        "503 as the first event",
        on.either(on.error_body(503, "overloaded"), on.breaking(0, on.error_event(503, "overloaded"))),
    ),
]

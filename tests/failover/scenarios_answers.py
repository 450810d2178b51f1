"""Answers that refuse, answers that are none, and fallbacks that do not help."""

from __future__ import annotations

from tests.failover.rows import FALLBACK, USAGE, breaks, down, next_target, stops
from tests.failover.table import WORDS, Scenario, all_modes, no, ok, unary_and_streams
from tests.support import hostile as on

REFUSED = [
    Scenario(
        "context length, the fallback's is larger",
        a=(on.CONTEXT_LENGTH,),
        models=("gpt-4", "gpt-4o-mini"),
        rescued=all_modes(ok("ab", "CONTEXT_LENGTH")),
        alone=all_modes(no("a", "CONTEXT_LENGTH_EXCEEDED")),
        classic="context length",
    ),
    stops(
        "context length, the fallback's is no larger",
        "CONTEXT_LENGTH_EXCEEDED",
        on.CONTEXT_LENGTH,
        models=("gpt-4o-mini", "gpt-4"),
    ),
    stops("content filter", "CONTENT_FILTERED", on.CONTENT_FILTER, classic="content filter"),
    stops("400", "INVALID_REQUEST", on.BAD_REQUEST),
    stops("413", "INVALID_REQUEST", on.status(413)),
    stops("422", "INVALID_REQUEST", on.status(422)),
    next_target("401", "KEY_REJECTED", on.UNAUTHORIZED),
    next_target("403", "KEY_REJECTED", on.status(403)),
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
    next_target("50 MB", "GARBLED", on.huge()),
    next_target("a gzip bomb", "GARBLED", on.bomb()),
    down("a redirect", on.status(302, location="http://127.0.0.1:9/elsewhere")),
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
    breaks(
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
    down("accounting", on.status(503, {"error": {"message": "down"}, "usage": USAGE}), classic="failover accounting"),
]
ANSWERS = [*REFUSED, *GARBAGE, *BOTH]

"""What a provider's headers tell of its rate limits. Pure.

Names differ, and so does what they count: OpenAI's requests are those of a minute or of a day, by tier; Groq's are a
day's and its tokens a minute's. Some say how long the window is, for some it follows from the reset, others say
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from sidecar.core.catalog import Allowance
from sidecar.providers.http import duration_s

_WINDOWS_S = {"second": 1.0, "10-second": 10.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_DATE = 1e9
"""A number from here on is a date (seconds since the epoch; from a thousand times that on, milliseconds), no wait."""
_LONGEST = 40
"""Characters of a wait or a date."""


class _Row(NamedTuple):
    """Which headers speak of one limit. `window_s` where the name tells it."""

    unit: str
    limit: str
    remaining: str
    reset: str
    renewal: str
    """Where Azure tells the window."""
    window_s: float | None = None


def _row(unit: str, pattern: str, word: str, window_s: float | None = None) -> _Row:
    limit, remaining, reset = (pattern.format(part=part, word=word) for part in ("limit", "remaining", "reset"))
    return _Row(unit, limit, remaining, reset, f"x-ratelimit-renewalperiod-{unit}", window_s)


def _dialects() -> Iterator[_Row]:
    for unit, words in {"requests": ("requests", "req"), "tokens": ("tokens",)}.items():
        # OpenAI's (platform.openai.com/docs/guides/rate-limits) are used by Groq (console.groq.com/docs/rate-limits),
        # xAI and Azure too, which tells the window as x-ratelimit-renewalperiod-*
        yield _row(unit, "x-ratelimit-{part}-{word}", unit)
        # Anthropic's (docs.anthropic.com/en/api/rate-limits#response-headers) name a date, RFC 3339
        yield _row(unit, "anthropic-ratelimit-{word}-{part}", unit)
        # Cerebras (inference-docs.cerebras.ai/support/rate-limits) says requests-day and tokens-minute; Mistral's
        # answers say req-minute, req-10-second and tokens-minute, without a reset
        for name, window_s in _WINDOWS_S.items():
            for word in words:
                yield _row(unit, f"x-ratelimit-{{part}}-{{word}}-{name}", word, window_s)
    # Together (docs.together.ai/docs/rate-limits): of a second; OpenRouter (openrouter.ai/docs/api-reference/limits)
    # uses the same names for requests, and a date in milliseconds
    yield _row("requests", "x-ratelimit-{part}", "")
    yield _row("tokens", "x-tokenlimit-{part}", "", 1.0)


@lru_cache(maxsize=4096)
def _duration_s(text: str) -> float | None:
    """The same few waits come again and again."""
    return duration_s(text)


_BY_REMAINING = {row.remaining: row for row in _dialects()}


def allowances(headers: Mapping[str, str], now_ns: Callable[[], int]) -> list[Allowance]:
    """One of each unit that the headers (names in lower case) tell of; of several windows that which has the smallest
    share left. `now_ns`: the wall clock, for an answer that dates its reset but not itself."""
    found: dict[str, Allowance] = {}
    for name in headers:
        row = _BY_REMAINING.get(name)
        if row is None:
            continue
        told = _allowance(row, headers, now_ns)
        known = found.get(row.unit)
        if told is not None and (known is None or told.remaining * known.limit < known.remaining * told.limit):
            found[row.unit] = told
    return list(found.values())


def _allowance(row: _Row, headers: Mapping[str, str], now_ns: Callable[[], int]) -> Allowance | None:
    limit, remaining = _count(headers.get(row.limit)), _count(headers.get(row.remaining))
    if not limit or remaining is None:
        return None
    reset, renewal = headers.get(row.reset, "")[:_LONGEST], headers.get(row.renewal, "")[:_LONGEST]
    reset_s = _reset_s(reset, headers, now_ns) if reset else None
    window_s = row.window_s or (_duration_s(renewal) if renewal else None) or None
    return Allowance(row.unit, limit, min(remaining, limit), reset_s, window_s)


def _count(text: str | None) -> int | None:
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value if 0 <= value < 10**15 else None


def _reset_s(text: str, headers: Mapping[str, str], now_ns: Callable[[], int]) -> float | None:
    """Seconds until the reset: told as a wait, or as a date, which counts from the answer's own."""
    wait_s = _duration_s(text)
    if wait_s is not None and wait_s < _DATE:
        return wait_s
    at = _timestamp(text) if wait_s is None else wait_s / 1000 if wait_s >= 1000 * _DATE else wait_s
    return None if at is None else max(at - _sent(headers, now_ns), 0.0)


def _timestamp(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _sent(headers: Mapping[str, str], now_ns: Callable[[], int]) -> float:
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return now_ns() / 1e9

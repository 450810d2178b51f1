"""What HTTP headers and addresses say, whichever wire is spoken. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from sidecar.core.catalog import Account
from sidecar.core.faults import LONGEST_WAIT_S

CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""Headers that open an account: they go to its own host only."""
_LONGEST_TEXT = 64
"""Characters of a header that tells a time. What is longer tells none."""
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# Where providers put the id that their support asks for, best first.
_REQUEST_ID_HEADERS = (
    "x-request-id",  # OpenAI: platform.openai.com/docs/api-reference/debugging-requests
    "request-id",
    "x-generation-id",  # OpenRouter: openrouter.ai/docs/api/reference/streaming
    "mistral-correlation-id",
    "inference-id",  # Cerebras
    "x-ds-trace-id",  # DeepSeek
    "x-debug-trace-id",  # Cohere
    "apim-request-id",
    "x-amzn-requestid",  # AWS
    "cf-ray",  # whoever stands behind Cloudflare and says nothing better
)
_REQUEST_ID_CHARACTERS = 200
_MODEL_CHARACTERS = 200


def headers_for(account: Account, secret: str, *, stream: bool, accept: str = "") -> dict[str, str]:
    """Of a JSON request: the account's credentials as its row's `auth` says ("bearer", or the header's name), and the
    `headers` among its options."""
    headers = {
        "content-type": "application/json",
        "accept": accept or ("text/event-stream" if stream else "application/json"),
        "user-agent": "taximeter",
    }
    if secret:
        auth = str(account.options.get("auth") or "bearer")
        name, value = ("authorization", f"Bearer {secret}") if auth == "bearer" else (auth, secret)
        headers[name] = value
    own = account.options.get("headers")
    if isinstance(own, Mapping):
        headers |= {str(name).lower(): str(value) for name, value in own.items()}
    return headers


def provider_request_id(headers: Mapping[str, str]) -> str:
    """The provider's own id of the exchange; empty if it gave none."""
    for name in _REQUEST_ID_HEADERS:
        if value := headers.get(name):
            return value[:_REQUEST_ID_CHARACTERS]
    return ""


def served_model(headers: Mapping[str, str]) -> str:
    """The model behind a deployment, where the answer's headers tell it; else empty.

    Azure's Responses API repeats the deployment's name as `model`; which model that is, the header says
    (github.com/microsoft/agent-framework/pull/5979 reads it for the same reason).
    """
    return headers.get("x-ms-served-model", "")[:_MODEL_CHARACTERS]


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the provider asks to wait, a year at most; None if it does not say.

    `retry-after-ms`, then `retry-after` (seconds or a date: RFC 9110 10.2.3; a date counts from the answer's own
    `date` header, else from `now`, seconds since the epoch), then the reset of whichever rate limit is used up
    (platform.openai.com/docs/guides/rate-limits, console.groq.com/docs/rate-limits; as RFC 3339 time of day:
    platform.claude.com/docs/en/api/rate-limits).
    """
    if (wait_ms := _number(headers.get("retry-after-ms"))) is not None:
        return min(wait_ms / 1000, LONGEST_WAIT_S)
    text = headers.get("retry-after", "")
    wait_s = _number(text)
    if wait_s is None:
        wait_s = _until(text, headers.get("date"), now)
    waits = [*_used_up(headers), *_used_up_until(headers, now)] if wait_s is None else [wait_s]
    return min(max(waits), LONGEST_WAIT_S) if waits else None


def server_of(url: str) -> tuple[str, int]:
    """Host and port of a URL, for telemetry; ("", 0) if it has none."""
    return _server_of(url[: url.find("/", 8)] if url.find("/", 8) > 0 else url)


@lru_cache(maxsize=1024)
def _server_of(origin: str) -> tuple[str, int]:
    try:
        parts = urlsplit(origin)
        return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def _number(text: str | None) -> float | None:
    if not text or len(text) > _LONGEST_TEXT:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _until(date: str, sent: str | None, now: float | None) -> float | None:
    """Seconds from the answer's own date (or `now`) to `date`: the provider's clock need not be ours."""
    then = _timestamp(date)
    start = _timestamp(sent) if sent else now
    return None if then is None or start is None else max(0.0, then - start)


def _timestamp(date: str) -> float | None:
    """Of an HTTP date, or of RFC 3339's; one without a zone is UTC (RFC 9110 5.6.7: asctime dates are)."""
    if len(date) > _LONGEST_TEXT:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, OverflowError, IndexError):
            then = read(date)
            return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()
    return None


def _used_up(headers: Mapping[str, str]) -> list[float]:
    """Waits for the limits that have nothing left."""
    waits = []
    for limit in ("requests", "tokens"):
        if _number(headers.get(f"x-ratelimit-remaining-{limit}")) == 0:
            wait_s = duration_s(headers.get(f"x-ratelimit-reset-{limit}", ""))
            waits += [] if wait_s is None else [wait_s]
    return waits


def _used_up_until(headers: Mapping[str, str], now: float | None) -> list[float]:
    """The same of limits whose resets are points in time."""
    waits = []
    for limit in ("requests", "tokens", "input-tokens", "output-tokens"):
        if _number(headers.get(f"anthropic-ratelimit-{limit}-remaining")) == 0:
            wait_s = _until(headers.get(f"anthropic-ratelimit-{limit}-reset", ""), headers.get("date"), now)
            waits += [] if wait_s is None else [wait_s]
    return waits


def duration_s(text: str) -> float | None:
    """Seconds in "1m30.5s", "6ms", "2h", or a bare number of seconds; None if it is none of these."""
    if (plain := _number(text)) is not None:
        return plain
    if len(text) > _LONGEST_TEXT:
        return None
    total, digits, rest = 0.0, "", text
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(digits) :]
        unit = next((unit for unit in ("ms", "h", "m", "s") if rest.startswith(unit)), "")
        value = _number(digits)
        if value is None or not unit:
            return None
        total += value * _UNITS_S[unit]
        rest = rest[len(unit) :]
    return total if text else None

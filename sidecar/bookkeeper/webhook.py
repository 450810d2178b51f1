"""An alert as a webhook: what is sent, signed after Standard Webhooks 1.0.0, and what came of sending it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the headers
`webhook-id`, `webhook-timestamp` and `webhook-signature`, the last one "v1," and the base64 of the HMAC-SHA256 of
"{id}.{timestamp}.{body}". The id is the alert's, whatever the try; the timestamp is the try's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

TIMEOUT_S = 15.0
"""Of connecting, and of each wait for the answer (the specification: 15 to 30 s)."""
PREFIX = "whsec_"
_GONE = 410


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of `ai_budget_alerts`; times are UTC."""

    alert_id: str
    budget_id: str
    name: str
    workspace: str
    scope: str
    subject: str
    threshold: str
    unit: str
    limit: Decimal
    """US dollars, or a count."""
    spent: Decimal
    window_start: datetime | None
    window_end: datetime | None
    call_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    delivered: bool
    error: str = ""
    """In our words: a receiver's own stand nowhere."""
    gone: bool = False
    """The receiver wants no more of them."""
    retry_after_s: float = 0.0


def body(alert: Alert) -> bytes:
    """JSON: type, timestamp, data. Fields are added, never changed. Amounts are decimal text."""
    told = {
        "type": f"budget.alert.{alert.threshold}",
        "timestamp": _time(alert.at),
        "data": {
            "alert_id": alert.alert_id,
            "budget_id": alert.budget_id,
            "name": alert.name,
            "workspace": alert.workspace,
            "scope": alert.scope,
            "subject": alert.subject,
            "threshold": alert.threshold,
            "unit": alert.unit,
            "limit": plain(alert.limit),
            "spent": plain(alert.spent),
            "window_start": _time(alert.window_start),
            "window_end": _time(alert.window_end),
            "call_id": alert.call_id,
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def headers(alert_id: str, content: bytes, secret: str, at_s: int) -> Mapping[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "taximeter",
        "webhook-id": alert_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature(alert_id, content, secret, at_s),
    }


def signature(alert_id: str, content: bytes, secret: str, at_s: int) -> str:
    """`secret`: base64, with or without "whsec_" before it."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{alert_id}.{at_s}.".encode() + content, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def post(url: str, content: bytes, told: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Outcome:
    """One try. Redirects are not followed; of the answer only its status is read."""
    request = urllib.request.Request(url, content, dict(told), method="POST")  # noqa: S310 - settings admit http(s) only
    try:
        with _opener(url).open(request, timeout=timeout_s):
            return Outcome(delivered=True)
    except HTTPError as error:
        error.close()
        after_s = _seconds(error.headers.get("retry-after", ""))
        return Outcome(delivered=False, error=f"http {error.code}", gone=error.code == _GONE, retry_after_s=after_s)
    except URLError as error:
        return Outcome(delivered=False, error=f"no connection: {type(error.reason).__name__}")
    except (OSError, HTTPException, ValueError) as error:
        return Outcome(delivered=False, error=f"no answer: {type(error).__name__}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """With the environment's proxy, but for this machine itself."""
    proxies = [urllib.request.ProxyHandler({})] if is_loopback(url) else []
    return urllib.request.build_opener(_NoRedirect, *proxies)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def plain(amount: Decimal) -> str:
    """ "100", "0.0015": no exponent, no needless zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(at: datetime | None) -> str | None:
    return at.replace(tzinfo=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if at else None


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() and len(text) < 8 else 0.0

"""A call with everything that can happen on the way: one passed over, one retried, one that answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Skip, Target, Usage, UsageSource
from tests.support.analytics import ns, priced, settled

PRICES = {"input": Decimal("1.25"), "output": Decimal(10)}


def fallen(at: datetime, **changes: Any) -> CallRecord:
    """groq was in trouble already, anthropic failed twice, openai answered."""
    values: dict[str, Any] = {
        "alias": "smart",
        "fallback_used": True,
        "fallback_reason": "PROVIDER_ERROR",
        "streamed": True,
        "skips": (Skip(Target("groq", "llama-3.3-70b-versatile"), "CIRCUIT_OPEN"),),
        "strategy": "failover",
    }
    return replace(settled(1, ns(at), _attempts(at), CallStatus.OK), **(values | changes))


def _attempts(at: datetime) -> list[Attempt]:
    anthropic, openai = Target("anthropic", "claude-sonnet-4-5"), Target("openai", "gpt-5.2")
    usage = Usage(input=812, output=240)
    answered: dict[str, Any] = {
        "http_status": 200,
        "first_token_ns": ns(at + timedelta(milliseconds=11_420)),
        "usage": usage,
        "usage_source": UsageSource.REPORTED,
        "cost": priced(PRICES, usage),
        "finish_reasons": ("stop",),
    }
    return [
        _attempt(1, anthropic, (at, 4, 310), error_type="server_error", http_status=529),
        _attempt(2, anthropic, (at, 900, 10_000), error_type="ttft_timeout", maybe_billed=True),
        _attempt(3, openai, (at, 10_901, 2_400), **answered),
    ]


def _attempt(number: int, target: Target, when: tuple[datetime, int, int], **more: Any) -> Attempt:
    """`when`: the call's arrival, the attempt's start after it, its duration (ms)."""
    call_at, after_ms, took_ms = when
    start = ns(call_at + timedelta(milliseconds=after_ms))
    status = AttemptStatus.FAILED if more.get("error_type") else AttemptStatus.OK
    return Attempt(number, target, target.provider, status, start, start + took_ms * 10**6, circuit="closed", **more)

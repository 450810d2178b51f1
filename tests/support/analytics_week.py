"""A week as it could have been: providers that fail, aliases that fall back, models without a price, quiet nights."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sidecar.core.call import (
    NO_COST,
    UNPRICED,
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    Skip,
    Target,
    Usage,
    UsageSource,
)
from tests.support.analytics import ns, priced, settled


class Model(NamedTuple):
    provider: str
    model: str
    price_in: str
    price_out: str
    median_s: float
    failing: float


MODELS = {
    "smart": [
        Model("openai", "gpt-5.2", "1.25", "10", 2.4, 0.03),
        Model("anthropic", "claude-sonnet-4-5", "3", "15", 3.1, 0.01),
    ],
    "fast": [
        Model("groq", "llama-3.3-70b-versatile", "0.59", "0.79", 0.5, 0.08),
        Model("gemini", "gemini-2.5-flash", "0.3", "2.5", 0.9, 0.02),
    ],
    "code-assist": [
        Model("anthropic", "claude-sonnet-4-5", "3", "15", 4.0, 0.02),
        Model("openai", "gpt-5.2", "1.25", "10", 2.8, 0.03),
    ],
    "fast-drafts": [Model("local", "smollm2-135m", "0", "0", 0.7, 0.0)],
    "voice-notes": [Model("openrouter", "acme/whisper-ultra", "", "", 1.8, 0.05)],
}
SHARE = {"smart": 30, "fast": 45, "code-assist": 12, "fast-drafts": 10, "voice-notes": 3}
FAULTS = [("rate_limited", 429, "RATE_LIMITED"), ("server_error", 503, "PROVIDER_ERROR"), ("timeout", 0, "TIMEOUT"),
          ("connection", 0, "CONNECTION")]  # fmt: skip


def week(end: datetime, calls: int = 4000, seed: int = 7) -> list[CallRecord]:
    """`calls` calls of the seven days before `end`, in the order of their starts."""
    chance = random.Random(seed)
    start = end - timedelta(days=7)
    times = sorted(_moment(chance, start) for _ in range(calls))
    return [_call(chance, seq, at) for seq, at in enumerate(times)]


def _moment(chance: random.Random, start: datetime) -> datetime:
    """More by day than by night, less at week-ends."""
    while True:
        at = start + timedelta(seconds=chance.uniform(0, 7 * 86400))
        busy = 0.55 - 0.45 * math.cos(2 * math.pi * (at.hour + at.minute / 60 - 3) / 24)
        if chance.random() < busy * (0.35 if at.weekday() >= 5 else 1):
            return at


def _call(chance: random.Random, seq: int, at: datetime) -> CallRecord:
    alias = chance.choices(list(SHARE), list(SHARE.values()))[0]
    started = ns(at) + chance.randrange(1000)
    facts = {
        "alias": alias,
        "strategy": "failover",
        "caller": chance.choice(["checkout", "support-bot", "batch"]),
        "workspace": "default",
        "tags": {"team": chance.choice(["red", "blue", "green"])} if chance.random() < 0.8 else {},
        "streamed": alias in {"smart", "code-assist"},
        "overhead_ns": int(chance.lognormvariate(math.log(900_000), 0.4)),
        "request_id": f"{chance.getrandbits(128):032x}",
        "call_id": f"01K{chance.getrandbits(115):023X}",
        "trace_id": f"{chance.getrandbits(128):032x}",
        "rpc_method": "taximeter.v1.InvocationService/Invoke",
    }
    if chance.random() < 0.006:
        skips = (Skip(Target("openai", "gpt-5.2"), "NO_KEY"),)
        return settled(seq, started, [], CallStatus.REFUSED, error_type="key_missing", skips=skips, **facts)
    attempts = list(_attempts(chance, alias, started))
    status = _status(chance, attempts)
    failed = [each for each in attempts if each.status is AttemptStatus.FAILED]
    reason = next((name for kind, _, name in FAULTS if failed and kind == failed[0].error_type), "")
    moved = len({each.target for each in attempts}) > 1
    return settled(
        seq,
        started,
        attempts,
        status,
        error_type=failed[-1].error_type if status is CallStatus.ERROR else "",
        fallback_reason=reason if moved else "",
        provider_ns=sum((each.ended_ns or each.started_ns) - each.started_ns for each in attempts),
        **facts,
    )


def _status(chance: random.Random, attempts: list[Attempt]) -> CallStatus:
    if attempts[-1].status is AttemptStatus.OK:
        return CallStatus.OK
    if attempts[-1].status is AttemptStatus.ABANDONED:
        return CallStatus.ABANDONED
    return CallStatus.CANCELLED if attempts[-1].status is AttemptStatus.CANCELLED else CallStatus.ERROR


def _attempts(chance: random.Random, alias: str, started: int) -> Iterator[Attempt]:
    for number, model in enumerate(MODELS[alias], 1):
        started += 400_000 + chance.randrange(300_000)
        attempt = _attempt(chance, number, model, started)
        yield attempt
        if attempt.status is not AttemptStatus.FAILED:
            return
        started = attempt.ended_ns or started


def _attempt(chance: random.Random, number: int, model: Model, started: int) -> Attempt:
    took = int(chance.lognormvariate(math.log(model.median_s), 0.5) * 1e9)
    target = Target(model.provider, model.model)
    same = {"key_id": f"{model.provider}-1", "circuit": "closed", "span_id": f"{chance.getrandbits(64):016x}",
            "bytes_sent": 900, "server_address": f"api.{model.provider}.example", "server_port": 443}  # fmt: skip
    if chance.random() < model.failing:
        kind, code, _ = chance.choice(FAULTS)
        took = 10 * 10**9 if kind == "timeout" else took // 4
        return Attempt(number, target, model.provider, AttemptStatus.FAILED, started, started + took,
                       error_type=kind, http_status=code, maybe_billed=kind == "timeout",
                       cost_at_risk_picodollars=10**9 if kind == "timeout" else 0, **same)  # type: ignore[arg-type] # fmt: skip
    cached = chance.random() < 0.3
    tokens = int(chance.lognormvariate(6.5, 0.9))
    usage = Usage(input=tokens, cache_read=tokens // 2 if cached else 0, output=int(chance.lognormvariate(5.2, 0.8)))
    stopped = chance.random() < 0.012
    return Attempt(
        number,
        target,
        model.provider,
        chance.choice([AttemptStatus.CANCELLED, AttemptStatus.ABANDONED]) if stopped else AttemptStatus.OK,
        started,
        started + took,
        first_token_ns=started + took // 5,
        model_reported=model.model,
        http_status=200,
        provider_request_id=f"req_{chance.getrandbits(48):012x}",
        finish_reasons=() if stopped else ("stop",),
        usage=usage,
        usage_source=UsageSource.ESTIMATED if stopped else UsageSource.REPORTED,
        estimator_version="bytes-1" if stopped else "",
        cost=_cost(model, usage),
        **same,  # type: ignore[arg-type]
    )


def _cost(model: Model, usage: Usage) -> Cost:
    if not model.price_in:
        return UNPRICED
    if model.price_in == "0":
        return Cost(True, 0, "declared", "self-hosted", NO_COST.lines)
    price = Decimal(model.price_in)
    return priced({"input": price, "cache_read": price / 10, "output": Decimal(model.price_out)}, usage)


def now() -> datetime:
    """The end of a ledger that pages are looked at with."""
    return datetime.now(UTC)

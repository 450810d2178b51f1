"""CallRecord -> Metering."""

from typing import Any

import pytest

from sidecar.core.call import UNPRICED, AttemptStatus, CallStatus, Skip, Target
from sidecar.edge.metering import metering
from taximeter.v1 import metering_pb2 as pb
from tests.support.edge import STARTED_NS, attempt, record

FAILED = attempt(status=AttemptStatus.FAILED, error_type="rate_limited", http_status=429, message="slow down")


def test_what_a_good_call_came_to() -> None:
    told = metering(record(first_token_ns=STARTED_NS + 120_000_000))
    assert (told.provider, told.model_reported, told.alias) == ("openai", "gpt-big-2026", "smart")
    assert (told.usage.input_tokens, told.usage.output_tokens) == (10, 5)
    assert told.usage_source == pb.USAGE_SOURCE_REPORTED
    assert (told.cost.amount_usd, told.cost.price_source) == ("0.0000015", "genai-prices")
    assert told.duration.ToMilliseconds() == 300
    assert told.time_to_first_token.ToMilliseconds() == 120
    assert told.attempts[0].duration.ToMilliseconds() == 250


def test_an_unpriced_call_has_no_amount() -> None:
    """litellm#30135: unpriced counted as 0 dollars."""
    told = metering(record(cost=UNPRICED))
    assert not told.cost.priced
    assert not told.cost.HasField("amount_picodollars")


def test_an_open_end_is_absent() -> None:
    told = metering(record(attempts=(attempt(ended_ns=None),)))
    assert not told.attempts[0].HasField("duration")
    assert not told.HasField("time_to_first_token")


def test_the_providers_own_words_reach_the_caller() -> None:
    assert metering(record(attempts=(FAILED,))).attempts[0].message == "slow down"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "", id="no-fallback"),
        pytest.param(
            {
                "fallback_used": True,
                "fallback_reason": "RATE_LIMITED",
                "attempts": (FAILED, attempt(2, "anthropic")),
                "provider_of_record": "anthropic",
            },
            "This provider is unavailable (openai: rate limited); routed to fallback anthropic",
            id="after-a-failed-attempt",
        ),
        pytest.param(
            {
                "fallback_used": True,
                "fallback_reason": "CIRCUIT_OPEN",
                "skips": (Skip(Target("a", "m"), "NO_KEY"), Skip(Target("openai", "m"), "CIRCUIT_OPEN")),
                "attempts": (attempt(1, "groq"),),
                "provider_of_record": "groq",
            },
            "This provider is unavailable (openai: circuit open); routed to fallback groq",
            id="after-an-open-circuit",
        ),
        pytest.param(
            {"fallback_used": True, "status": CallStatus.ERROR, "attempts": (FAILED,), "provider_of_record": ""},
            "",
            id="a-fallback-that-did-not-work",
        ),
    ],
)
def test_fallback_message(changes: dict[str, Any], expected: str) -> None:
    told = metering(record(**changes))
    assert told.fallback_message == expected
    reason = changes.get("fallback_reason") or "UNSPECIFIED"
    assert pb.FallbackReason.Name(told.fallback_reason) == f"FALLBACK_REASON_{reason}"

"""What providers report of usage becomes disjoint meters that sum to the whole: nothing counts twice, or below zero."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import astuple
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import Fault
from sidecar.core.money import from_usd
from sidecar.pricing import Pricing
from sidecar.pricing.card import INPUT_METERS, OUTPUT_METERS, Rate, RateCard, cost, meters
from sidecar.providers.anthropic_usage import merged, usage_of
from sidecar.providers.wire import HttpResponse, Reply
from tests.support.hostile_wires import Told, json_of
from tests.support.providers import account
from tests.support.spoiling import SPOILT, paths, spoil, spoilt
from tests.support.told_natives import NATIVES
from tests.support.told_openai import OPENAI

PRICING = Pricing()
NOW_NS = 1_790_000_000 * 10**9
TOLD = {str(told): told for told in (*OPENAI, *NATIVES)}
PLACES = {"replicate": "metrics", "gemini": "usageMetadata"}
"""Where usage stands in an answer, if not under `usage`."""
DEAREST = RateCard("x", "", {name: Rate(from_usd(Decimal(600))) for name in (*INPUT_METERS, *OUTPUT_METERS)})


def reported(name: str, usage: Any) -> Usage | None:
    told = TOLD[f"{name}-chat"]
    body = {**told.whole, **usage} if name == "ollama" else {**told.whole, PLACES.get(name, "usage"): usage}
    reply = told.codec.decode(HttpResponse(200, {}, json_of(body)))
    assert isinstance(reply, Reply)
    return reply.usage


CLAUDE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 500,
    "output_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300},
}
CONVERSE = {
    "inputTokens": 100,
    "cacheReadInputTokens": 1000,
    "cacheWriteInputTokens": 500,
    "outputTokens": 30,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 300}, {"ttl": "5m", "inputTokens": 200}],
}
SPLIT = {"input": 100, "cache_read": 1000, "cache_write_1h": 300, "cache_write": 200, "output": 30}
GPT = {
    "prompt_tokens": 1000,
    "completion_tokens": 10,
    "total_tokens": 1010,
    "prompt_tokens_details": {"cached_tokens": 600},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


@pytest.mark.parametrize(
    ("name", "usage", "model", "lines", "usd"),
    [
        pytest.param(
            "anthropic", CLAUDE, "claude-sonnet-4-5", SPLIT,
            Decimal("0.00360"), id="anthropic",
        ),
        pytest.param(
            "bedrock", CONVERSE, "anthropic.claude-sonnet-4-5-20250929-v1:0",
            SPLIT, Decimal("0.00396"), id="bedrock-ten-percent-more-in-a-region",
        ),
        pytest.param(
            "openai", GPT, "gpt-4o", {"input": 400, "cache_read": 600, "output": 10}, Decimal("0.00185"), id="openai"
        ),
        pytest.param(
            "azure", GPT, "gpt-4o", {"input": 400, "cache_read": 600, "output": 10}, Decimal("0.00185"), id="azure"
        ),
        pytest.param(
            "cohere", {"billed_units": {"input_tokens": 100, "output_tokens": 10}, "cached_tokens": 500},
            "command-a-03-2025", {"input": 100, "output": 10}, Decimal("0.00035"), id="cohere-more-cached-than-billed",
        ),
        pytest.param(
            "anthropic", {**CLAUDE, "cache_creation": {"ephemeral_1h_input_tokens": 900}, "output_tokens": 0},
            "claude-sonnet-4-5", {"input": 100, "cache_read": 1000, "cache_write_1h": 500}, Decimal("0.00360"),
            id="more-for-an-hour-than-written",
        ),
    ],
)  # fmt: skip
def test_documented_usage_is_priced_by_meter(
    name: str, usage: Any, model: str, lines: dict[str, int], usd: Decimal
) -> None:
    found = reported(name, usage)
    assert found is not None
    target = account(name, base_url="https://api.test")
    billed = PRICING.cost(target, model, "", found, NOW_NS)
    assert {line.meter: line.quantity for line in billed.lines} == lines
    assert billed.amount_picodollars == from_usd(usd)


def test_writes_for_an_hour_stand_when_a_streams_end_tells_zeros() -> None:
    started = merged({}, CLAUDE)
    ended = merged(started, {"cache_creation": {"ephemeral_1h_input_tokens": 0}, "output_tokens": 40})
    assert usage_of(ended) == usage_of({**CLAUDE, "output_tokens": 40})


NAMES = {
    "anthropic": ("input_tokens", "output_tokens"),
    "openai": ("prompt_tokens", "completion_tokens"),
    "azure": ("prompt_tokens", "completion_tokens"),
    "openai-responses": ("input_tokens", "output_tokens"),
    "bedrock": ("inputTokens", "outputTokens"),
    "ollama": ("prompt_eval_count", "eval_count"),
    "replicate": ("input_token_count", "output_token_count"),
}


@pytest.mark.parametrize("name", NAMES)
def test_zero_is_a_value(name: str) -> None:
    found = reported(name, dict.fromkeys(NAMES[name], 0))
    assert found is not None
    assert (found.input, found.output) == (0, 0)


@pytest.mark.parametrize("told", [-1, 10**9 + 1, 2**63, 1e300, 0.5, True, "7", None, [7]], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_count_is_absent(name: str, told: object) -> None:
    found = reported(name, dict.fromkeys(NAMES[name], told))
    assert found is None or (found.input, found.output) == (None, None)


def disjoint(usage: Usage) -> None:
    assert all(value is None or value >= 0 for value in astuple(usage))
    found = meters(usage, DEAREST.rates) or {}
    assert all(quantity >= 0 for quantity in found.values())
    for whole, names in ((usage.input, INPUT_METERS), (usage.output, OUTPUT_METERS)):
        assert whole is None or sum(found.get(name, 0) for name in names) == whole
    amount = cost(DEAREST, usage).amount_picodollars
    assert amount is None or 0 <= amount < 2**63


def metered(told: Told, body: Any) -> None:
    with suppress(Fault):
        reply = told.codec.decode(HttpResponse(200, {}, json_of(body)))
        if isinstance(reply, Reply):
            disjoint(reply.usage or Usage())
            assert reply.provider_cost_picodollars is None or 0 <= reply.provider_cost_picodollars < 2**63


each = pytest.mark.parametrize("told", TOLD.values(), ids=str)


@each
def test_each_field_spoilt_is_metered_once_or_not_at_all(told: Told) -> None:
    for path in paths(told.whole):
        for by in (*SPOILT, 10**9):
            metered(told, spoil(told.whole, path, by))


@each
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_many_fields_spoilt_are_metered_once_or_not_at_all(told: Told, data: st.DataObject) -> None:
    for body in data.draw(spoilt([told.whole])):
        metered(told, body)

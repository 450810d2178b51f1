"""How much a Claude model may reason and write, and how each generation is told."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.faults import Unsupported
from sidecar.providers.anthropic_models import ways_of
from tests.support.anthropic import BOTH, NEW, OLD, STRICT, chat, encode

param = pytest.param
OTHER = "deepseek-v4-pro"
BETWEEN = "claude-sonnet-5-5"


def said(model: str, **fields: Any) -> dict[str, Any]:
    """What a request says of reasoning."""
    body = chat(model, **fields)
    return {name: body[name] for name in ("thinking", "output_config") if name in body}


def budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def effort(level: str) -> dict[str, Any]:
    return {"output_config": {"effort": level}}


ADAPTIVE = {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        param(OLD, {}, {}, id="nothing-asked"),
        param(OLD, {"reasoning_max_tokens": 2000}, budget(2000), id="a-budget"),
        param(BOTH, {"reasoning_max_tokens": 2000}, budget(2000), id="a-budget-at-4.6"),
        param(OTHER, {"reasoning_max_tokens": 2000}, budget(2000), id="a-budget-at-another-vendors"),
        param(OLD, {"reasoning_effort": "low"}, budget(1024), id="low-effort-by-budget"),
        param(OLD, {"reasoning_effort": "medium"}, budget(4096), id="medium-effort-by-budget"),
        param(OLD, {"reasoning_effort": "high"}, budget(16_384), id="high-effort-by-budget"),
        param(BOTH, {"reasoning_effort": "medium"}, ADAPTIVE | effort("medium"), id="effort-at-4.6"),
        param(NEW, {"reasoning_effort": "high"}, ADAPTIVE | effort("high"), id="effort"),
        param(NEW, {"reasoning_effort": "minimal"}, ADAPTIVE | effort("low"), id="the-least-there-is"),
        param(NEW, {"reasoning_effort": "xhigh"}, ADAPTIVE | effort("xhigh"), id="more-than-our-levels"),
        param(OTHER, {"reasoning_effort": "high"}, effort("high"), id="effort-at-another-vendors"),
        param(BOTH, {"reasoning_effort": "low", "reasoning_max_tokens": 2000}, budget(2000) | effort("low"), id="both"),
        param(OLD, {"reasoning_effort": "low", "reasoning_max_tokens": 9000}, budget(9000), id="the-number-says-more"),
        param(OLD, {"reasoning_effort": "none"}, {}, id="it-does-not-reason-unasked"),
        param(NEW, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, id="none"),
        param(NEW, {"reasoning_max_tokens": 0}, {"thinking": {"type": "disabled"}}, id="zero-tokens"),
        param(BETWEEN, {"reasoning_effort": "none"}, {"thinking": {"type": "between_tools"}}, id="none-at-sonnet-5.5"),
    ],
)
def test_what_is_said_of_reasoning(model: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert said(model, **fields) == expected


@pytest.mark.parametrize(
    ("model", "fields", "why"),
    [
        param(NEW, {"reasoning_max_tokens": 2000}, "takes no number of tokens to reason with", id="a-budget-from-4.7"),
        param(STRICT, {"reasoning_effort": "none"}, "always reasons", id="none-where-it-always-does"),
        param(OLD, {"reasoning_max_tokens": 1000}, "1024 tokens at least", id="too-small-a-budget"),
        param(OLD, {"reasoning_effort": "low", "max_tokens": 500}, "max_tokens must exceed", id="no-room-to-reason"),
        param("claude-3-5-haiku-latest", {"reasoning_effort": "low"}, "does not reason", id="it-cannot"),
        param("claude-3-5-haiku-latest", {"reasoning_max_tokens": 2000}, "takes no number", id="nor-by-a-budget"),
        param(OLD, {"reasoning_effort": "xhigh"}, "does not reason with effort xhigh", id="an-effort-it-knows-not"),
    ],
)
def test_what_a_model_cannot_be_told(model: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        encode(fields, model)


@pytest.mark.parametrize(
    ("model", "stream", "fields", "expected"),
    [
        param(OLD, False, {"max_tokens": 5}, 5, id="as-asked"),
        param(NEW, False, {}, 16_000, id="unary-default"),
        param(NEW, True, {}, 64_000, id="streamed-default"),
        param("claude-3-haiku-20240307", False, {}, 4096, id="no-more-than-the-model-writes"),
        param(OTHER, True, {}, 8192, id="another-vendors"),
        param(OLD, False, {"reasoning_max_tokens": 20_000}, 36_000, id="reasoning-comes-on-top"),
        param("claude-opus-4-1", False, {"reasoning_max_tokens": 20_000}, 32_000, id="up-to-the-models-limit"),
    ],
)
def test_the_required_max_tokens(model: str, stream: bool, fields: dict[str, Any], expected: int) -> None:
    assert chat(model, stream=stream, **fields)["max_tokens"] == expected


def test_reasoning_stays_below_what_the_caller_allows_in_all() -> None:
    body = chat(OLD, max_tokens=2000, reasoning_max_tokens=5000)
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (2000, 1999)


def test_effort_and_schema_share_a_field() -> None:
    body = chat(NEW, reasoning_effort="low", response_format={"json_schema": {"schema": {"type": "object"}}})
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("name", "like"),
    [
        param("claude-haiku-4-5-20251001", "claude-haiku-4-5", id="with-its-date"),
        param("claude-haiku-4-5@20251001", "claude-haiku-4-5", id="as-google-writes-it"),
        param("anthropic/claude-haiku-4.5", "claude-haiku-4-5", id="as-routers-write-it"),
        param("us.anthropic.claude-opus-4-8-v1:0", "claude-opus-4-8", id="as-amazon-writes-it"),
        param("Claude-Sonnet-5", "claude-opus-4-7", id="in-capitals"),
        param("claude-fable-5-2-20261101", "claude-opus-5-5", id="a-minor-version-and-a-date"),
        param("claude-fable-5-20260601", "claude-mythos-5", id="a-date-that-is-no-minor-version"),
        param("claude-sonnet-4-20250514", "claude-sonnet-4-0", id="before-the-short-names"),
    ],
)
def test_a_model_by_any_of_its_names(name: str, like: str) -> None:
    assert ways_of(name) == ways_of(like)


@pytest.mark.parametrize("takes", ["sampling", "prefill", "forced_tools", "budget", "effort", "schema"])
@pytest.mark.parametrize("model", ["claude-next", "deepseek-v4-pro", ""])
def test_what_is_not_known_is_let_through(model: str, takes: str) -> None:
    assert getattr(ways_of(model), takes)

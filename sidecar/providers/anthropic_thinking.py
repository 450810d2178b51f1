"""How much a model may reason, and how much it may write.

platform.claude.com/docs/en/build-with-claude/{extended-thinking,adaptive-thinking,effort}: up to Claude 4.5 reasoning
has a budget of tokens (1024 at least, below `max_tokens`); from 4.7 on the model measures it out by itself, and is told
only how hard to try; 4.6 takes either.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.faults import Unsupported
from sidecar.providers.anthropic_models import UNASKED, Ways
from taximeter.v1 import payload_pb2 as pb

# `max_tokens` is a required field. What a caller who sets none gets, unless the model's own limit is less: the figures
# that Anthropic recommends to start from (github.com/anthropics/skills, claude-api: "`max_tokens` defaults").
UNARY_MAX_TOKENS = 16_000
STREAM_MAX_TOKENS = 64_000

LEAST_BUDGET = 1024
_LEVELS = {"minimal": "low"}
"""Ours -> the level of `output_config.effort` that comes nearest."""
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_384}
"""What an effort means to a model that knows only budgets; our own figures."""


def limits(request: pb.ChatRequest, model: str, ways: Ways, stream: bool) -> dict[str, Any]:
    """`max_tokens`, and `thinking` and `output_config` where the caller said something of reasoning."""
    effort, budget = request.reasoning_effort, request.reasoning_max_tokens
    if effort == "none" or (request.HasField("reasoning_max_tokens") and budget <= 0):
        return {"max_tokens": _most(request, ways, stream), **_off(model, ways)}
    body: dict[str, Any] = {}
    if effort and ways.effort:
        body["output_config"] = {"effort": _LEVELS.get(effort, effort)}
        if ways.adaptive and not budget:
            body["thinking"] = {"type": "adaptive"}
    elif effort and not budget:
        budget = _budget_for(effort, model, ways)
    if not budget:
        return {"max_tokens": _most(request, ways, stream), **body}
    if not ways.budget:
        raise Unsupported(f"{model} takes no number of tokens to reason with; reasoning_effort says how hard to try")
    most = _most(request, ways, stream, beside=budget)
    budget = min(budget, most - 1)  # all in all no more than `most`, which is what the caller asked for
    if budget < LEAST_BUDGET:
        raise Unsupported(f"{model} reasons with {LEAST_BUDGET} tokens at least, and max_tokens must exceed them")
    return {"max_tokens": most, **body, "thinking": {"type": "enabled", "budget_tokens": budget}}


def _most(request: pb.ChatRequest, ways: Ways, stream: bool, beside: int = 0) -> int:
    if request.HasField("max_tokens"):
        return request.max_tokens
    return min(ways.max_tokens, (STREAM_MAX_TOKENS if stream else UNARY_MAX_TOKENS) + beside)


def _off(model: str, ways: Ways) -> dict[str, Any]:
    if not ways.off:
        raise Unsupported(f"{model} always reasons")
    return {} if ways.off == UNASKED else {"thinking": {"type": ways.off}}


def _budget_for(effort: str, model: str, ways: Ways) -> int:
    if not ways.budget or effort not in _BUDGETS:
        raise Unsupported(f"{model} does not reason with effort {effort}")
    return _BUDGETS[effort]

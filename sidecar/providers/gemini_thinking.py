"""How much a model may think (ai.google.dev/gemini-api/docs/generate-content/thinking).

Gemini 2.5 has a budget of tokens; from 3 on there are levels, and a budget is still taken, but not both. Thinking can
be turned off in Gemini 2.5 Flash and Flash-Lite only. What an effort means to a model with budgets is Google's own
table: ai.google.dev/gemini-api/docs/openai#thinking.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sidecar.core.faults import Unsupported
from sidecar.providers.gemini_models import generation
from taximeter.v1 import payload_pb2 as pb


class Range(NamedTuple):
    least: int
    most: int
    off: bool


_RANGES = {"pro": Range(128, 32_768, off=False), "flash-lite": Range(512, 24_576, off=True)}
_FLASH = Range(0, 24_576, off=True)
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
_NO_MINIMAL = ("-pro",)
_NO_MEDIUM = ("gemini-3-pro",)
"""docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-3-5-flash: what each one supports."""
_BY_BUDGET, _BY_LEVEL = (2, 5), (3,)


def thinking_config(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    """Empty where the caller said nothing of reasoning."""
    effort, has_budget = request.reasoning_effort, request.HasField("reasoning_max_tokens")
    if not effort and not has_budget:
        return {}
    version = generation(model)
    off = effort == "none" or (has_budget and request.reasoning_max_tokens == 0)
    if version is not None and version < _BY_BUDGET:
        if off:
            return {}
        raise Unsupported(f"{model} does not reason")
    if off:
        return _off(model, version)
    if has_budget:
        return {"thinkingBudget": _budget(request.reasoning_max_tokens, model, version), "includeThoughts": True}
    if version is None:
        raise Unsupported(f"how hard {model} can try is not known; provider_options may give its thinkingConfig")
    if version >= _BY_LEVEL:
        return {"thinkingLevel": _level(effort, model), "includeThoughts": True}
    if effort not in _BUDGETS:
        raise Unsupported(f"{model} does not reason with effort {effort}")
    return {"thinkingBudget": _BUDGETS[effort], "includeThoughts": True}


def _off(model: str, version: tuple[int, ...] | None) -> dict[str, Any]:
    if version is None or version >= _BY_LEVEL or not _range(model).off:
        raise Unsupported(f"{model} always reasons")
    return {"thinkingBudget": 0}


def _budget(asked: int, model: str, version: tuple[int, ...] | None) -> int:
    """At most what the model takes; -1 leaves it to the model."""
    if asked < 0 or version is None or version >= _BY_LEVEL:
        return asked
    bounds = _range(model)
    if asked < bounds.least:
        raise Unsupported(f"{model} reasons with {bounds.least} tokens at least")
    return min(asked, bounds.most)


def _range(model: str) -> Range:
    return next((bounds for name, bounds in _RANGES.items() if f"-{name}" in model), _FLASH)


def _level(effort: str, model: str) -> str:
    """The level of that name, or the one that comes nearest."""
    if effort == "minimal" and any(name in model for name in _NO_MINIMAL):
        return "low"
    if effort == "medium" and any(name in model for name in _NO_MEDIUM):
        return "high"
    return effort

"""What Gemini models take and refuse of reasoning: found before anything is sent, and not by a 400.

ai.google.dev/gemini-api/docs/{thinking,openai,gemini-3}, docs.cloud.google.com/gemini-enterprise-agent-platform/models/
{thinking,guides/gemini-3-5-flash,guides/gemini-3-8-flash}. Read on 2026-11-21 in stored copies, none of it tried
against Google. What is not known is let through: the provider then answers for itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sidecar.core.faults import Unsupported
from taximeter.v1 import payload_pb2 as pb

MODELS_KEPT = 1024
"""Callers can name any model, so the cache needs a bound."""
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LATEST = re.compile(r"gemini-(?:pro|flash|flash-lite)-latest")
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""What an effort means to a model that knows only budgets: ai.google.dev/gemini-api/docs/openai#thinking."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The defaults suit a model that we know nothing of."""

    reasons: bool = True
    levels: bool = False
    """It takes `thinkingLevel`; if not, `thinkingBudget`, which those with levels still take too."""
    minimal: bool = False
    """It has the level "minimal"."""
    off: bool = True
    """It can be kept from reasoning."""
    signed: bool = False
    """It refuses a call of a function that comes back without a signature."""
    media_in_results: bool = False
    """What a function gives back may hold images and files."""


@lru_cache(MODELS_KEPT)
def ways_of(model: str) -> Ways:
    name = model.lower()
    if not (found := _VERSION.search(name)):
        newest = bool(_LATEST.search(name))
        return Ways(levels=newest, off=not newest, signed=newest, media_in_results=newest)
    version = int(found[1]), int(found[2] or 0)
    if version < (2, 5):
        return Ways(reasons=False)
    if version < (3, 0):
        return Ways(off="pro" not in name)
    # Flash up to 3.5 and Flash-Lite have it, Pro and the newer Flash do not; where it is not known, "low" always is.
    minimal = "flash-lite" in name or ("flash" in name and version <= (3, 5))
    return Ways(levels=True, minimal=minimal, off=False, signed=True, media_in_results=True)


def thinking(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    """`thinkingConfig`, where the caller said something of reasoning. A number is more exact than an effort, and a
    request that has both is refused; the reasoning asked for is also to be seen."""
    effort, counted = request.reasoning_effort, request.HasField("reasoning_max_tokens")
    budget = request.reasoning_max_tokens
    ways = ways_of(model)
    if (counted and not budget) or (effort == "none" and not counted):
        return _off(model, ways)
    if not effort and not counted:
        return {}
    if not ways.reasons:
        raise Unsupported(f"{model} does not reason")
    if counted:
        return {"thinkingBudget": budget, "includeThoughts": True}
    if effort not in _BUDGETS:
        raise Unsupported(f"{model} does not reason with effort {effort}")
    if not ways.levels:
        return {"thinkingBudget": _BUDGETS[effort], "includeThoughts": True}
    level = "low" if effort == "minimal" and not ways.minimal else effort
    return {"thinkingLevel": level, "includeThoughts": True}


def _off(model: str, ways: Ways) -> dict[str, Any]:
    if not ways.off:
        raise Unsupported(f"{model} always reasons")
    return {"thinkingBudget": 0} if ways.reasons else {}

"""What Claude models take and refuse, where they differ: found before anything is sent, and not by a 400.

platform.claude.com/docs/en/models/*/migration-guide, .../about-claude/models/overview and .../build-with-claude/
{effort,structured-outputs,mid-conversation-system-messages}; the table "Thinking & Effort" of Anthropic's own
github.com/anthropics/skills (claude-api/SKILL.md, October 2026). Read on 2026-11-21 in stored copies, none of it tried
against Anthropic. What is not known is let through: the provider then answers for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

MODELS_KEPT = 1024
"""Callers can name any model, so the cache needs a bound."""
UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Ways:
    """The defaults suit a model that we know nothing of: another vendor's behind this wire."""

    max_tokens: int = 8192
    """Most that an answer may have, reasoning included; of a stranger what any server should take."""
    budget: bool = True
    """It takes `thinking.budget_tokens`."""
    adaptive: bool = False
    """It takes `thinking: {"type": "adaptive"}`."""
    effort: bool = True
    """It takes `output_config.effort`."""
    off: str = "disabled"
    """The `thinking.type` by which it does not think. Empty: it always does. "unasked": it thinks only when told to."""
    sampling: bool = True
    """It takes temperature, top_p and top_k."""
    prefill: bool = True
    """It goes on from an assistant message at the end."""
    forced_tools: bool = True
    """`tool_choice` may demand a call."""
    system_inside: bool = False
    """It takes messages of the role "system" in mid-conversation."""
    schema: bool = True
    """It takes `output_config.format`."""


_EARLY = Ways(budget=False, effort=False, off=UNASKED, schema=False)
_BY_BUDGET = Ways(max_tokens=64_000, effort=False, off=UNASKED)
_BOTH = Ways(max_tokens=128_000, adaptive=True, off=UNASKED, prefill=False)
_ADAPTIVE = Ways(max_tokens=128_000, budget=False, adaptive=True, sampling=False, prefill=False)
_WITH_SYSTEM = replace(_ADAPTIVE, system_inside=True)
_ALWAYS = replace(_WITH_SYSTEM, off="")
_UNFORCED = replace(_ALWAYS, forced_tools=False)
_YET_TO_COME = Ways(max_tokens=64_000, adaptive=True, system_inside=True)

_KNOWN: tuple[tuple[Ways, tuple[str, ...]], ...] = (
    (replace(_EARLY, max_tokens=4096), ("claude-2*", "claude-3-opus*", "claude-3-sonnet*", "claude-3-haiku*")),
    (_EARLY, ("claude-3-5-*",)),
    (replace(_BY_BUDGET, schema=False), ("claude-3-7-*", "claude-sonnet-4-0*", "claude-sonnet-4-20*")),
    (replace(_BY_BUDGET, max_tokens=32_000, schema=False), ("claude-opus-4-[01]*", "claude-opus-4-20*")),
    (_BY_BUDGET, ("claude-*-4-5*",)),
    (_BOTH, ("claude-*-4-6*",)),
    (replace(_UNFORCED, off="between_tools"), ("claude-sonnet-5-5*",)),
    (_ADAPTIVE, ("claude-opus-4-7*", "claude-sonnet-5*")),
    (_UNFORCED, ("claude-opus-5-5*", "claude-*-5-[12]", "claude-*-5-[12]-*")),  # Fable and Mythos
    (_ALWAYS, ("claude-fable-5*", "claude-mythos-*")),
    (_WITH_SYSTEM, ("claude-opus-4-8*", "claude-opus-5*", "claude-haiku-5*")),
    (_YET_TO_COME, ("claude-*",)),
)
"""The first that fits."""


@lru_cache(MODELS_KEPT)
def ways_of(model: str) -> Ways:
    """Of a model by any of its names: "claude-haiku-4-5", "anthropic/claude-haiku-4.5", "claude-haiku-4-5@20251001"."""
    name = model.lower().replace(".", "-").replace("@", "-")
    name = name[max(name.find("claude-"), 0) :]
    return next((ways for ways, patterns in _KNOWN if any(fnmatchcase(name, each) for each in patterns)), Ways())

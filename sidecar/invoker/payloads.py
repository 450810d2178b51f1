"""A payload with less asked for than its caller did."""

from __future__ import annotations

from typing import Any

from sidecar.invoker.lengths import without_limits

LEAST_REASONING_TOKENS = 1024
"""Providers take no smaller budget to reason with (docs.anthropic.com/en/docs/build-with-claude/extended-thinking)."""


def with_max_tokens(payload: Any, max_tokens: int) -> Any:
    """A copy that asks for at most so much output. What it may reason with stays below; too little for that is none."""
    less = type(payload)()
    less.CopyFrom(payload)
    less.max_tokens = max_tokens
    if less.HasField("provider_options"):
        without_limits(less.provider_options)
    if "reasoning_max_tokens" in less.DESCRIPTOR.fields_by_name and less.reasoning_max_tokens >= max_tokens:
        less.ClearField("reasoning_max_tokens")
        if max_tokens // 2 >= LEAST_REASONING_TOKENS:
            less.reasoning_max_tokens = max_tokens // 2
    return less

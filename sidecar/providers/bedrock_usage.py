"""What Converse reports of usage.

`inputTokens` are those that were neither read from the cache nor written to it:
"total input tokens = inputTokens + cacheReadInputTokens + cacheWriteInputTokens"
(docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html), which `totalTokens` confirms
(github.com/tensorzero/tensorzero/issues/5688). Reasoning is within `outputTokens` and not told apart.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count


def usage_of(raw: Any) -> Usage | None:
    """None if nothing is counted there."""
    if not isinstance(raw, dict):
        return None
    fresh = count(raw.get("inputTokens"))
    read, written = count(raw.get("cacheReadInputTokens")), count(raw.get("cacheWriteInputTokens"))
    usage = Usage(
        input=None if fresh is None else fresh + (read or 0) + (written or 0),
        cache_read=read,
        cache_write=written,
        output=count(raw.get("outputTokens")),
    )
    return None if usage == Usage() else usage

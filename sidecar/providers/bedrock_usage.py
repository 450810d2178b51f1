"""What Converse reports of usage.

`inputTokens` are those that were neither read from the cache nor written to it:
"total input tokens = inputTokens + cacheReadInputTokens + cacheWriteInputTokens"
(docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html), which `totalTokens` confirms
(github.com/tensorzero/tensorzero/issues/5688). `cacheDetails` tells the writes by how long they are kept
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CacheDetail.html). Reasoning is within `outputTokens` and
not told apart.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count, objects


def usage_of(raw: Any) -> Usage | None:
    """None if nothing is counted there."""
    if not isinstance(raw, dict):
        return None
    fresh = count(raw.get("inputTokens"))
    read, written = count(raw.get("cacheReadInputTokens")), count(raw.get("cacheWriteInputTokens"))
    details = [each for each in objects(raw.get("cacheDetails")) if each.get("ttl") == "1h"]
    for_an_hour = [number for each in details if (number := count(each.get("inputTokens"))) is not None]
    usage = Usage(
        input=None if fresh is None else fresh + (read or 0) + (written or 0),
        cache_read=read,
        cache_write=written,
        cache_write_1h=sum(for_an_hour) if for_an_hour else None,
        output=count(raw.get("outputTokens")),
    )
    return None if usage == Usage() else usage

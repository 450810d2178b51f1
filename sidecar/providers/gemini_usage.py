"""What Gemini reports of usage (ai.google.dev/api/generate-content#UsageMetadata).

- `promptTokenCount` includes what is cached. What its own tools brought in (search results, say) is counted apart, as
  `toolUsePromptTokenCount`, and is input as well: `totalTokenCount` is the sum of both, the answer and the thoughts.
- `candidatesTokenCount` does not include `thoughtsTokenCount`, though both are billed as output
  (ai.google.dev/gemini-api/docs/pricing).
- Zeros are left out, as protobuf's JSON does.
- Streams: every event has the totals so far.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count, objects

METERED = frozenset(
    {
        "promptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "totalTokenCount",
    }
)


def usage_of(raw: Any) -> Usage | None:
    """None if `raw` is not a usage object or counts nothing that we know."""
    if not isinstance(raw, dict):
        return None
    tokens = {name: count(raw.get(name)) for name in METERED}
    prompt, thoughts = _sum(tokens["promptTokenCount"], tokens["toolUsePromptTokenCount"]), tokens["thoughtsTokenCount"]
    output = _sum(tokens["candidatesTokenCount"], thoughts)
    if output is None and prompt is not None and prompt == tokens["totalTokenCount"]:
        output = 0
    usage = Usage(
        input=prompt,
        cache_read=tokens["cachedContentTokenCount"],
        output=output,
        reasoning=thoughts,
        audio_in=_audio(raw.get("promptTokensDetails")),
        audio_out=_audio(raw.get("candidatesTokensDetails")),
    )
    return None if usage == Usage() else usage


def _sum(*counts: int | None) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _audio(details: Any) -> int | None:
    return next((count(each.get("tokenCount")) for each in objects(details) if each.get("modality") == "AUDIO"), None)

"""What Gemini reports of usage: `usageMetadata` (ai.google.dev/api/generate-content#UsageMetadata).

- `promptTokenCount` includes cached tokens, but not those of the results of Google's own tools, which are billed as
  input: `toolUsePromptTokenCount`. `candidatesTokenCount` does not include thoughts, which are billed as output:
  `thoughtsTokenCount`. `totalTokenCount` is the sum of these four.
- A count of zero is left out, as JSON of protocol buffers does. Of a whole answer, then, an absent count of candidates
  is what the total leaves for it.
- Streams tell all counts so far again and again: the last stand. Vertex may tell none of them before the end.
- Some reports hold no count of the prompt at all: nothing can be billed by them.
- Embeddings: `promptTokenCount` only; Vertex's `:predict` has `statistics.token_count` at each vector instead.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count, objects

COUNTS = frozenset(
    {
        "promptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "totalTokenCount",
    }
)


def usage_of(raw: Any, *, whole: bool = True) -> Usage | None:
    """None if `raw` does not count the prompt. Of an answer that goes on, output not yet told is not known."""
    if not isinstance(raw, dict) or (prompt := count(raw.get("promptTokenCount"))) is None:
        return None
    tools, thoughts = count(raw.get("toolUsePromptTokenCount")), count(raw.get("thoughtsTokenCount"))
    answer, total = count(raw.get("candidatesTokenCount")), count(raw.get("totalTokenCount"))
    read = prompt + (tools or 0)
    written = None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0)
    if whole and answer is None:
        written = max(written or 0, (total or 0) - read)
    return Usage(
        input=read,
        cache_read=count(raw.get("cachedContentTokenCount")),
        output=written,
        reasoning=thoughts,
        audio_in=_of_audio(raw, "promptTokensDetails", "toolUsePromptTokensDetails"),
        audio_out=_of_audio(raw, "candidatesTokensDetails"),
    )


def _of_audio(raw: dict[str, Any], *lists: str) -> int | None:
    """ai.google.dev/api/generate-content#ModalityTokenCount; None where no audio is told of."""
    counts = [
        number
        for name in lists
        for entry in objects(raw.get(name))
        if entry.get("modality") == "AUDIO" and (number := count(entry.get("tokenCount"))) is not None
    ]
    return sum(counts) if counts else None

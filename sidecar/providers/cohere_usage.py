"""What Cohere reports of usage. Absent stays absent, zero stays zero.

`billed_units` ("the number of billed input tokens") is what a bill is made of, and so what we report. `tokens` ("used
as input to the model") counts besides the prompt that Cohere puts around the caller's; `provider_metadata` tells it.
`cached_tokens` are of that larger count and may exceed the billed input; no price list gives a discount for them
(docs.cohere.com/reference/chat, docs.cohere.com/docs/how-does-cohere-pricing-work).
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count


def chat_usage(raw: Any) -> Usage | None:
    """`usage` of an answer or of a stream's message-end; None if it counts nothing that we know."""
    if not isinstance(raw, dict):
        return None
    units = _units(raw)
    usage = Usage(
        input=count(units.get("input_tokens")),
        cache_read=count(raw.get("cached_tokens")),
        output=count(units.get("output_tokens")),
    )
    return None if usage == Usage() else usage


def embedding_usage(meta: Any) -> Usage | None:
    """`meta` of an answer (docs.cohere.com/reference/embed): text and image tokens are counted apart, output never."""
    if not isinstance(meta, dict):
        return None
    units = _units(meta)
    tokens = [tokens for name in ("input_tokens", "image_tokens") if (tokens := count(units.get(name))) is not None]
    images = count(units.get("images"))
    if not tokens and images is None:
        return None
    return Usage(input=sum(tokens) if tokens else None, output=0, images=images)


def _units(raw: dict[str, Any]) -> dict[str, Any]:
    units = raw.get("billed_units")
    return units if isinstance(units, dict) else {}

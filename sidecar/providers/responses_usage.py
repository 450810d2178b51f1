"""What the Responses API reports of usage. Absent stays absent, zero stays zero.

developers.openai.com/api/reference/resources/responses: `input_tokens` includes cached and cache-written tokens,
`output_tokens` includes reasoning. Beside it:

- xAI: `cost_in_usd_ticks`, as in its chat completions (docs.x.ai/developers/cost-tracking); its reasoning is within
  `output_tokens` here, and `total_tokens` says so. That sum is what we go by, whoever the provider is.
- Perplexity: `cache_read_input_tokens` (also as `cached_tokens`) and `cache_creation_input_tokens`, both within the
  input, and the bill as `cost.total_cost` (docs.perplexity.ai/api-reference/agent-post).
- Fees of the provider's own tools (web search ...) are no tokens: they are in no count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count


def usage_of(raw: Any) -> Usage | None:
    """None if `raw` is not a usage object or counts nothing that we know."""
    if not isinstance(raw, dict):
        return None
    into, out = _details(raw, "input_tokens_details"), _details(raw, "output_tokens_details")
    usage = Usage(
        input=count(raw.get("input_tokens")),
        cache_read=_first(into, "cached_tokens", "cache_read_input_tokens"),
        cache_write=_first(into, "cache_write_tokens", "cache_creation_input_tokens"),
        output=count(raw.get("output_tokens")),
        reasoning=count(out.get("reasoning_tokens")),
        audio_in=count(into.get("audio_tokens")),
        audio_out=count(out.get("audio_tokens")),
    )
    return None if usage == Usage() else _with_reasoning(usage, count(raw.get("total_tokens")))


def _with_reasoning(usage: Usage, total: int | None) -> Usage:
    """`output` with the reasoning in it, where the total shows that it was counted apart."""
    if not usage.reasoning or usage.input is None or usage.output is None:
        return usage
    apart = usage.input + usage.output + usage.reasoning == total
    return replace(usage, output=usage.output + usage.reasoning) if apart else usage


def _details(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _first(said: dict[str, Any], *names: str) -> int | None:
    return next((number for name in names if (number := count(said.get(name))) is not None), None)

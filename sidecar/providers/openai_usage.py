"""What a provider on the OpenAI wire reports of usage and cost. Absent stays absent, zero stays zero.

The documented object: platform.openai.com/docs/api-reference/chat/object#chat/object-usage
(`prompt_tokens` includes cached and audio tokens, `completion_tokens` includes reasoning). Beside it:

- DeepSeek: `prompt_cache_hit_tokens` (api-docs.deepseek.com/guides/kv_cache).
- Moonshot, Together: `cached_tokens` beside `prompt_tokens` (platform.moonshot.ai/docs/api/chat).
- Mistral: `prompt_audio_seconds`; audio tokens are not in `prompt_tokens` (docs.mistral.ai/capabilities/audio):
  both counts are passed on as they stand. `num_cached_tokens` is undocumented and earns no discount: not read.
- xAI: reasoning is not in `completion_tokens`, though it is billed as output; its `total_tokens` counts all three
  (docs.x.ai/docs/guides/reasoning). That sum, and no provider's name, is what we go by.
- OpenRouter: `prompt_tokens_details.cache_write_tokens`, and `cost` in credits of one dollar; with a key of one's own
  (`is_byok`) the upstream's bill comes on top (openrouter.ai/docs/use-cases/usage-accounting).
- Perplexity: `cost.total_cost` in dollars (docs.perplexity.ai/api-reference/chat-completions-post).
- xAI: `cost_in_usd_ticks`, ten thousand million to the dollar (docs.x.ai/developers/cost-tracking).
- Groq streams: `x_groq.usage` in the last chunk (console.groq.com/docs/api-reference): see openai_stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.money import from_usd
from sidecar.providers.reading import count

_TICKS_PER_USD = 10**10
_MOST_USD = 10**6
"""What one ledger row has room for."""
_NOTHING: Mapping[str, Any] = {}


def usage_of(raw: Any) -> Usage | None:
    """None if `raw` is not a usage object or counts nothing that we know."""
    if not isinstance(raw, dict):
        return None
    prompt = _details(raw, "prompt_tokens_details")
    completion = _details(raw, "completion_tokens_details")
    output, reasoning = count(raw.get("completion_tokens")), count(completion.get("reasoning_tokens"))
    usage = Usage(
        input=count(raw.get("prompt_tokens")),
        cache_read=_first(
            prompt.get("cached_tokens"),
            raw.get("prompt_cache_hit_tokens"),
            raw.get("cached_tokens"),
        ),
        cache_write=count(prompt.get("cache_write_tokens")),
        output=output,
        reasoning=reasoning,
        audio_in=count(prompt.get("audio_tokens")),
        audio_out=count(completion.get("audio_tokens")),
        seconds=_seconds(raw.get("prompt_audio_seconds")),
    )
    if usage == Usage():
        return None
    return _with_reasoning(usage, count(raw.get("total_tokens"))) if reasoning else usage


def cost_of(raw: Any) -> int | None:
    """Picodollars that the provider itself says it billed; None if it does not say."""
    if not isinstance(raw, dict):
        return None
    cost = raw.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    billed = _money(cost)
    if billed is None:
        billed = _money(raw.get("cost_in_usd_ticks"), _TICKS_PER_USD)
        return None if billed is None else from_usd(billed)
    if raw.get("is_byok") is True:
        billed += _money(_details(raw, "cost_details").get("upstream_inference_cost")) or 0
    return from_usd(billed)


def _with_reasoning(usage: Usage, total: int | None) -> Usage:
    """`output` with the reasoning in it, where the total shows that it was counted apart."""
    if usage.input is None or usage.output is None or usage.reasoning is None:
        return usage
    apart = usage.input + usage.output + usage.reasoning == total
    return replace(usage, output=usage.output + usage.reasoning) if apart else usage


def _details(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else _NOTHING


def _first(*values: Any) -> int | None:
    return next((number for number in map(count, values) if number is not None), None)


def _seconds(value: Any) -> float | None:
    seconds = count(value)
    return None if seconds is None else float(value)


def _money(value: Any, per_usd: int = 1) -> Decimal | None:
    """Dollars, exactly as written: a float's shortest decimal is what it was read from. None for what is no bill."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST_USD * per_usd:
        return None
    return Decimal(str(value)) / per_usd

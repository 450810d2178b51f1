"""What both clients can ask beside calls: words -> requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taximeter import calls
from taximeter.messages import ChatMessages
from taximeter.v1 import catalog_pb2 as catalog
from taximeter.v1 import usage_pb2 as usage


@dataclass(frozen=True, slots=True)
class UsageStats:
    """Calls that the ledger has of a period."""

    total_requests: int
    request_counts: Mapping[str, int]
    """By the provider that served them; "" = those that nobody served."""


def usage_stats(found: usage.QueryUsageResponse) -> UsageStats:
    counts = {row.group.get("provider", ""): row.calls for row in found.rows}
    return UsageStats(sum(counts.values()), counts)


def best_provider(
    capability: str, preferred_provider: str, routing_preference: str | None
) -> catalog.FindBestProviderRequest:
    request = catalog.FindBestProviderRequest(preferred_provider=preferred_provider)
    request.capability = calls.number("capability", capability)
    if routing_preference:
        request.routing_preference = calls.number("routing_preference", routing_preference)
    return request


def cheapest_model(capability: str, free_only: bool) -> catalog.GetCheapestModelRequest:
    request = catalog.GetCheapestModelRequest(free_only=free_only)
    request.capability = calls.number("capability", capability)
    return request


def estimate(messages: ChatMessages, options: Mapping[str, Any]) -> catalog.EstimateCostRequest:
    return catalog.EstimateCostRequest(call=calls.chat_spec(messages, options))


def explanation(messages: ChatMessages, streamed: bool, options: Mapping[str, Any]) -> catalog.ExplainPlanRequest:
    return catalog.ExplainPlanRequest(call=calls.chat_spec(messages, options), streamed=streamed)

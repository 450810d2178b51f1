"""Which recorded exchanges are on the OpenAI wire."""

from __future__ import annotations

from sidecar.core.call import Operation
from tests.support.providers import rows
from tests.support.providers_replay import Exchange

SUFFIXES = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embeddings": "/embeddings",
    "moderation": "/moderations",
}
OPERATIONS = {
    "chat": Operation.CHAT,
    "completion": Operation.COMPLETION,
    "embeddings": Operation.EMBEDDING,
    "moderation": Operation.MODERATION,
}
OTHER_ADDRESSES = frozenset({"azure", "vertexai"})
"""They speak it under addresses of their own, which a later wire will know."""
OTHER_WIRES = frozenset({"cohere", "anthropic", "gemini", "bedrock", "voyage", "writer"})
"""What was recorded without a request can be told apart by its provider only."""


def on_the_openai_wire(exchange: Exchange) -> bool:
    if exchange.operation not in SUFFIXES or exchange.provider in OTHER_ADDRESSES | OTHER_WIRES:
        return False
    return not exchange.path or exchange.path.endswith(SUFFIXES[exchange.operation])


def account_type(exchange: Exchange) -> str:
    """The row of the exchange's provider; a provider without one is an OpenAI-compatible server."""
    row = rows().get(exchange.provider)
    return exchange.provider if row and row["wire"] == "openai" else "openai-compatible"


def base_path(exchange: Exchange) -> str:
    """The recorded path up to the operation's."""
    return exchange.path.removesuffix(SUFFIXES[exchange.operation])

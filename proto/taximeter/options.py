"""What can be said of a call by keyword. Absent and None are the same: not said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from taximeter.v1 import payload_pb2 as payload


class CallOptions(TypedDict, total=False):
    """Where a call goes, and what else is said of it. See docs/client.md."""

    alias: str
    task: str
    provider: str
    model: str
    capability: str
    preferred_provider: str
    routing_preference: str
    stream_recovery: str
    connect_s: float
    ttft_s: float
    response_s: float
    stall_s: float
    tags: Mapping[str, str]
    request_id: str
    conversation_id: str
    workspace_id: int | str
    provider_options: Mapping[str, Any]
    timeout: float | None
    """Seconds until the caller stops waiting; None = the client's own."""
    traceparent: str


class TextOptions(CallOptions, total=False):
    """Parameters that chat and completion share."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    stop: Sequence[str]
    frequency_penalty: float
    presence_penalty: float
    choice_count: int
    logit_bias: Mapping[str, float]


class ChatOptions(TextOptions, total=False):
    top_k: int
    tools: Iterable[payload.Tool | Mapping[str, Any]]
    tool_choice: payload.ToolChoice | str | Mapping[str, Any]
    parallel_tool_calls: bool
    response_format: payload.ResponseFormat | Mapping[str, Any]
    reasoning_effort: str
    logprobs: bool
    top_logprobs: int


class CompletionOptions(TextOptions, total=False):
    suffix: str
    echo: bool
    logprobs: int
    more_prompts: Sequence[str]
    best_of: int


class EmbedOptions(CallOptions, total=False):
    dimensions: int

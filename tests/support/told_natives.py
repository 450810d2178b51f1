"""Small documented answers in the vendors' own languages."""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Operation
from tests.support import anthropic, cohere
from tests.support.hostile_wires import Told, aws, lines, named, plain, sse, sse_done

_CHAT, _COMPLETION, _EMBEDDING = Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING
_CLAUDE = [
    anthropic.start(
        input_tokens=3, output_tokens=1, cache_read_input_tokens=2, cache_creation={"ephemeral_1h_input_tokens": 1}
    ),
    {"type": "ping"},
    *anthropic.block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s=="},
    ),
    *anthropic.text("hällo", 1),
    *anthropic.block(
        2,
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
    ),
    *anthropic.block(3, {"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 1}}),
    *anthropic.end("tool_use", output_tokens=7, output_tokens_details={"thinking_tokens": 1}),
]
_CLAUDE_WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "stop_reason": "tool_use",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "hi", "citations": [{"type": "char_location"}]},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}},
        {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {}},
    ],
    "usage": {
        "input_tokens": 3,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 1,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 1},
        "iterations": [{"type": "compaction", "input_tokens": 9, "output_tokens": 4}],
        "server_tool_use": {"web_search_requests": 1},
    },
    "stop_details": {"type": "refusal", "category": "c", "explanation": "e"},
}
_CLAUDE_ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "words"}, "request_id": "r"}

_COHERE = [
    cohere.start(),
    cohere.content(0, "content-start", thinking=""),
    cohere.content(0, thinking="hm"),
    {"type": "content-end", "index": 0},
    cohere.content(1, text="hällo"),
    cohere.plan("a plan"),
    cohere.call(0, id="t1", name="f"),
    cohere.call(0, '{"a":1}'),
    {"type": "tool-call-end", "index": 0},
    {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "sources": [{"id": "s"}]}}}},
    cohere.end("TOOL_CALL", {**cohere.USAGE, "cached_tokens": 1}),
]
_COHERE_CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_COHERE_WHOLE = {
    **cohere.said(
        cohere.text("hi"), cohere.thinking("hm"), tool_calls=[_COHERE_CALL], tool_plan="p", citations=[{"start": 0}]
    ),
    "logprobs": [{"text": "h", "logprobs": [-0.1]}],
}

_OLLAMA_CALL = {"id": "t1", "function": {"name": "f", "arguments": {"a": [1]}}}
_OLLAMA_END = {
    "model": "m-1",
    "created_at": "2026-01-01T00:00:00Z",
    "done": True,
    "done_reason": "stop",
    "total_duration": 5,
    "prompt_eval_count": 3,
    "eval_count": 4,
}
_OLLAMA_CHAT = [
    {"model": "m-1", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
    {"model": "m-1", "message": {"role": "assistant", "content": "hällo"}, "done": False},
    {"model": "m-1", "message": {"role": "assistant", "content": "", "tool_calls": [_OLLAMA_CALL]}, "done": False},
    {**_OLLAMA_END, "message": {"role": "assistant", "content": ""}},
]
_OLLAMA_TEXT = [
    {"model": "m-1", "response": "hä", "done": False},
    {"model": "m-1", "response": "llo", "thinking": "hm", "done": False},
    {**_OLLAMA_END, "response": "", "context": [1, 2]},
]
_OLLAMA_SAID = {"role": "assistant", "content": "hi", "thinking": "hm", "tool_calls": [_OLLAMA_CALL]}

_CONVERSE_USAGE = {
    "inputTokens": 3,
    "outputTokens": 4,
    "totalTokens": 12,
    "cacheReadInputTokens": 5,
    "cacheWriteInputTokens": 0,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 1}],
}
_CONVERSE = [
    ["messageStart", {"role": "assistant"}],
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}],
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}],
    ["contentBlockStop", {"contentBlockIndex": 0}],
    ["contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "hällo"}, "p": "abc"}],
    ["contentBlockStop", {"contentBlockIndex": 1}],
    ["contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}}],
    ["contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":1}'}}}],
    ["contentBlockStop", {"contentBlockIndex": 2}],
    ["messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"a": [1]}}],
    [
        "metadata",
        {
            "usage": _CONVERSE_USAGE,
            "metrics": {"latencyMs": 9},
            "trace": {"promptRouter": {"invokedModelId": "m-1"}},
        },
    ],
]
_CONVERSE_WHOLE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                {"text": "hi"},
                {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "t"}]}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": [1]}}},
                {"image": {"format": "png"}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": _CONVERSE_USAGE,
    "metrics": {"latencyMs": 9},
    "trace": {"promptRouter": {"invokedModelId": "m-1"}},
}

_PREDICTION = {
    "id": "p1",
    "model": "meta/llama",
    "status": "starting",
    "input": {"prompt": "hi"},
    "data_removed": False,
    "urls": {"stream": "https://stream.test/v1/p1", "get": "https://api.test/v1/predictions/p1"},
}
_METRICS = {"input_token_count": 4, "output_token_count": 2, "predict_time": 0.5}
_PREDICTED = {**_PREDICTION, "status": "succeeded", "output": ["hä", "llo"], "metrics": _METRICS, "version": {"a": 1}}
_HEARD = [["output", "hä"], ["logs", "a line"], ["output", "llo"], ["done", {}]]

_GEMINI_USAGE = {
    "promptTokenCount": 5,
    "cachedContentTokenCount": 2,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 1,
    "totalTokenCount": 9,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
}


def _candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}
    return {"candidates": [candidate], "modelVersion": "m-1", "responseId": "r1", "usageMetadata": _GEMINI_USAGE}


_GEMINI_CALL = {"functionCall": {"name": "f", "args": {"a": [1]}, "id": "t1"}, "thoughtSignature": "cw=="}
_GEMINI = [
    _candidate({"text": "hm", "thought": True}),
    _candidate({"text": "hällo"}),
    _candidate(_GEMINI_CALL),
    _candidate({"text": ""}, finishReason="STOP", safetyRatings=[{"category": "c", "probability": "LOW"}]),
]
_GEMINI_WHOLE = _candidate(
    {"text": "hm", "thought": True}, {"text": "hi"}, _GEMINI_CALL, finishReason="STOP", citationMetadata={"a": [1]}
)
_GOOGLE_ERROR = {
    "error": {
        "code": 400,
        "message": "words",
        "status": "INVALID_ARGUMENT",
        "details": [{"reason": "OTHER", "metadata": {}}, {"retryDelay": "3s"}],
    }
}

_REPLICATE_ERROR = {"title": "Invalid", "detail": "words", "status": 422, "retry_after": 3}

NATIVES: tuple[Told, ...] = (
    Told("anthropic", _CHAT, ((sse, _CLAUDE),), _CLAUDE_WHOLE, _CLAUDE_ERROR),
    Told("cohere", _CHAT, ((sse_done, _COHERE),), _COHERE_WHOLE, {"message": "words", "id": "r"}),
    Told(
        "cohere",
        _EMBEDDING,
        whole={
            "id": "r",
            "embeddings": {"float": [[0.5, 0.25]], "int8": [[1, 2]]},
            "texts": ["hi"],
            "meta": {"billed_units": {"input_tokens": 2, "image_tokens": 0, "images": 0}},
        },
        error={"message": "words", "error_type": "t"},
    ),
    Told("ollama", _CHAT, ((lines, _OLLAMA_CHAT),), {**_OLLAMA_END, "message": _OLLAMA_SAID}, {"error": "words"}),
    Told("ollama", _COMPLETION, ((lines, _OLLAMA_TEXT),), {**_OLLAMA_END, "response": "hi"}, {"error": "words"}),
    Told("ollama", _EMBEDDING, whole={"model": "m", "embeddings": [[0.5, 1]], "prompt_eval_count": 2}),
    Told("bedrock", _CHAT, ((aws, _CONVERSE),), _CONVERSE_WHOLE, {"message": "words", "__type": "a#Exception"}),
    Told(
        "replicate",
        _CHAT,
        ((plain, [_PREDICTION]), (named, _HEARD), (plain, [_PREDICTED])),
        _PREDICTED,
        _REPLICATE_ERROR,
    ),
    Told("gemini", _CHAT, ((sse, _GEMINI),), _GEMINI_WHOLE, _GOOGLE_ERROR),
    Told("gemini", _EMBEDDING, whole={"embeddings": [{"values": [0.5]}], "usageMetadata": _GEMINI_USAGE}),
)

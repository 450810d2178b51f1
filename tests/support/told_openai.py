"""Small documented answers in OpenAI's languages: chat completions, Azure's, responses."""

from __future__ import annotations

from sidecar.core.call import Operation
from tests.support import responses
from tests.support.hostile_wires import Told, sse, sse_done
from tests.support.providers import chunk

_CHAT, _COMPLETION, _EMBEDDING = Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING
_TOOL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
_OPENAI_USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "cost": 0.5,
    "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
_LOGPROBS = {"content": [{"token": "h", "logprob": -0.1, "top_logprobs": []}]}
_OPENAI_CHAT = [
    chunk("", role="assistant"),
    chunk(reasoning_content="hm"),
    chunk("hällo"),
    chunk(tool_calls=[_TOOL]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
    chunk(finish="tool_calls"),
    {"id": "c-1", "model": "m-1", "choices": [], "usage": _OPENAI_USAGE},
]
_OPENAI_WHOLE = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "usage": _OPENAI_USAGE,
    "service_tier": {"a": [1]},
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "logprobs": _LOGPROBS,
            "message": {"role": "assistant", "content": "hi", "reasoning": "hm", "tool_calls": [_TOOL], "notes": [1]},
        }
    ],
}
_OPENAI_TEXT = [
    {"id": "c-1", "model": "m-1", "choices": [{"index": 0, "text": "hä", "finish_reason": None}]},
    {"id": "c-1", "model": "m-1", "choices": [{"index": 0, "text": "llo", "finish_reason": "stop"}]},
    {"id": "c-1", "model": "m-1", "choices": [], "usage": _OPENAI_USAGE},
]
_FILTERED = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
_AZURE_CHAT = [
    {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0, **_FILTERED}]},
    *_OPENAI_CHAT[:3],
    {"id": "c-1", "choices": [{"index": 0, "delta": {}, "finish_reason": None, **_FILTERED}]},
    *_OPENAI_CHAT[3:],
]
_OPENAI_ERROR = {"error": {"message": "words", "type": "invalid_request_error", "param": None, "code": "unknown"}}
_AZURE_ERROR = {
    "error": {
        "message": "words",
        "type": None,
        "param": "prompt",
        "code": "other",
        "status": 400,
        "innererror": {"code": "other", "content_filter_result": {"hate": {"filtered": True}}},
    }
}

_FUNCTION = responses.function_call("f", '{"a":1}')
_RESPONSES = [
    responses.started(),
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"},
    responses.item_done(responses.reasoning("hm", encrypted="e"), 0),
    responses.said("hällo", 1),
    responses.item_done(responses.message("hällo"), 1),
    {"type": "response.output_item.added", "output_index": 2, "item": {**_FUNCTION, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"a":1}'},
    responses.item_done(_FUNCTION, 2),
    responses.ended(output=[responses.message("hällo"), _FUNCTION, {"type": "web_search_call", "id": "w"}]),
]
_RESPONSES_WHOLE = responses.response(
    responses.reasoning("hm"), responses.message("hi"), _FUNCTION, {"type": "web_search_call", "action": {"q": [1]}}
)

_OPENAI_COMPLETION = {**_OPENAI_WHOLE, "choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}]}
_OPENAI_VECTORS = {
    "model": "m-1",
    "data": [{"index": 0, "embedding": [0.5, 0.25]}, {"index": 1, "embedding": "AAAAPw=="}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
_MODERATED = {"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.9, "violence": 0.1}}

OPENAI: tuple[Told, ...] = (
    Told("openai", _CHAT, ((sse_done, _OPENAI_CHAT),), _OPENAI_WHOLE, _OPENAI_ERROR),
    Told("openai", _COMPLETION, ((sse_done, _OPENAI_TEXT),), _OPENAI_COMPLETION, _OPENAI_ERROR),
    Told("openai", _EMBEDDING, whole=_OPENAI_VECTORS, error=_OPENAI_ERROR),
    Told("openai", Operation.MODERATION, whole={"id": "m", "results": [_MODERATED]}, error=_OPENAI_ERROR),
    Told("azure", _CHAT, ((sse_done, _AZURE_CHAT),), _OPENAI_WHOLE, _AZURE_ERROR),
    Told("azure", _COMPLETION, ((sse_done, _OPENAI_TEXT),), _OPENAI_COMPLETION, _AZURE_ERROR),
    Told("azure", _EMBEDDING, whole=_OPENAI_VECTORS, error=_AZURE_ERROR),
    Told("openai-responses", _CHAT, ((sse, _RESPONSES),), _RESPONSES_WHOLE, _OPENAI_ERROR),
    Told("azure-responses", _CHAT, ((sse, _RESPONSES),), _RESPONSES_WHOLE, _AZURE_ERROR),
    Told("perplexity-responses", _CHAT, ((sse, _RESPONSES),), _RESPONSES_WHOLE, _OPENAI_ERROR),
)

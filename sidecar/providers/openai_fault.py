"""What an error on the OpenAI wire means, as HTTP answer or as event of a stream.

platform.openai.com/docs/guides/error-codes; the compatible servers' words for the same are beside each marker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from sidecar.providers.reading import NO_HEADERS, codes_of, error_body, fault_told, message_of
from sidecar.providers.wire import HttpResponse

# Codes and types that say the same under any status.
_CODES: Mapping[str, type[Fault]] = {
    "context_length_exceeded": ContextTooLong,  # OpenAI, Groq, Cerebras
    "exceed_context_size_error": ContextTooLong,  # llama.cpp server
    "1261": ContextTooLong,  # Zhipu: docs.z.ai/api-reference/api-code
    "content_filter": ContentFiltered,  # Azure OpenAI, LiteLLM
    "content_policy_violation": ContentFiltered,  # OpenAI
    "moderation_blocked": ContentFiltered,  # OpenAI, images
    "data_inspection_failed": ContentFiltered,  # Alibaba: help.aliyun.com/zh/model-studio/error-code
    "1301": ContentFiltered,  # Zhipu
    "model_not_found": ModelNotFound,  # OpenAI, Groq, Alibaba
    "invalid_model": ModelNotFound,  # Mistral
    "1211": ModelNotFound,  # Zhipu
    "invalid_api_key": KeyRejected,
    "authentication_error": KeyRejected,
    "permission_error": KeyRejected,
    "insufficient_quota": RateLimited,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "overloaded_error": ServerError,
    "server_error": ServerError,
    "internal_server_error": ServerError,
    "service_unavailable": ServerError,
}

# Of a refused request (4xx), when its code says no more than "invalid request".
_MESSAGES: tuple[tuple[str, type[Fault]], ...] = (
    ("context length", ContextTooLong),  # OpenAI, vLLM, OpenRouter, DeepSeek, Mistral, Ollama, Fireworks
    ("context window", ContextTooLong),  # OpenAI, Groq
    ("context size", ContextTooLong),  # llama.cpp
    ("context overflows", ContextTooLong),  # LM Studio
    ("maximum prompt length", ContextTooLong),  # xAI
    ("prompt is too long", ContextTooLong),  # Fireworks, Anthropic behind OpenRouter
    ("exceeded model token limit", ContextTooLong),  # Moonshot
    ("range of input length", ContextTooLong),  # Alibaba
    ("content management policy", ContentFiltered),  # Azure OpenAI
    ("content exists risk", ContentFiltered),  # DeepSeek
    ("violates usage guidelines", ContentFiltered),  # xAI
    ("is not a valid model id", ModelNotFound),  # OpenRouter
    ("model not exist", ModelNotFound),  # DeepSeek
    ("invalid model '", ModelNotFound),  # Perplexity
)

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,  # out of credit: OpenRouter, DeepSeek
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
    498: RateLimited,  # Groq, flex tier at capacity: console.groq.com/docs/errors
}


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    return fault_of_error(_error_in(error_body(response)), response.status, response.headers)


def fault_of_error(error: Any, status: int, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """An error object, as a body or an event carries it. `status` 0: it came in a stream or under 200."""
    said: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
    codes = codes_of(said, "code", "type")
    message = message_of(said)
    status = status or _status_in(said)
    kind = _kind(said, codes, message.lower(), status)
    return fault_told(kind, message, status, headers, codes[0] if codes else "")


def _kind(said: Mapping[str, Any], codes: list[str], message: str, status: int) -> type[Fault]:
    if status >= 500 or status in (408, 429):
        return _STATUSES.get(status, ServerError)
    if status == 403 and _flagged(said):
        return ContentFiltered
    refused = 400 <= status < 500 or "invalid_request_error" in codes
    by_code = next((_CODES[code] for code in codes if code in _CODES), None)
    by_message = next((kind for marker, kind in _MESSAGES if marker in message), None)
    return by_code or _STATUSES.get(status) or by_message or (BadRequest if refused else ServerError)


def _flagged(said: Mapping[str, Any]) -> bool:
    """OpenRouter answers 403 when its moderation flagged the input: openrouter.ai/docs/api/reference/errors."""
    metadata = said.get("metadata")
    return isinstance(metadata, dict) and "flagged_input" in metadata


def _error_in(body: Any) -> Any:
    """The error object of an error body.

    {"error": {…}} and {"error": "text"}; fields at the top (Mistral, older vLLM); {"detail": …} (FastAPI);
    a list of one (Gemini's compatible endpoint).
    """
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return body
    error = body.get("error")
    if isinstance(error, dict):
        return error
    if error:
        return {**body, "message": error}
    return body


def _status_in(said: Mapping[str, Any]) -> int:
    """The HTTP status that an error object names (OpenRouter, vLLM: `code`; Groq: `status_code`), else 0."""
    for name in ("code", "status_code", "status"):
        value = said.get(name)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return 0

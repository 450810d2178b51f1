"""Whole answers of the Responses API (developers.openai.com/api/reference/resources/responses)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from sidecar.core.faults import Fault, Garbled, ServerError
from sidecar.providers.http import provider_request_id, retry_after_s
from sidecar.providers.openai_reply import filtered
from sidecar.providers.openai_usage import cost_of
from sidecar.providers.reading import objects, text_of
from sidecar.providers.responses_fault import fault_of_failure
from sidecar.providers.responses_output import CALLS, CONTENT_FILTER, finish_reason, message_of
from sidecar.providers.responses_usage import usage_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpRequest, HttpResponse, Pending, Reply
from taximeter.v1 import payload_pb2 as pb

POLL_S = 2.0
"""As developers.openai.com/api/docs/guides/background does it."""

_OURS = frozenset({"message", "reasoning", *CALLS})
_ECHOES = frozenset(
    {
        *("background", "conversation", "frequency_penalty", "include", "instructions", "logit_bias"),
        *("max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "presence_penalty"),
        *("previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p"),
        *("truncation", "user"),
    }
)
"""A response repeats its request."""
_KNOWN = _ECHOES | {
    *("id", "object", "created_at", "completed_at", "model", "status", "incomplete_details", "error", "usage"),
    *("output", "output_text"),
}


def decode_chat(response: HttpResponse) -> Reply | Pending:
    body = _object(response)
    if body.get("error"):
        raise _told_by(response, fault_of_failure(body["error"], usage_of(body.get("usage"))))
    match text_of(body, "status"):
        case "queued" | "in_progress":
            return _still_running(body, response)
        case "failed" | "cancelled" as status:
            raise _told_by(response, ServerError(f"the response is {status}"))
    if not isinstance(body.get("output"), list):
        raise _garbled("the answer has no output", response)
    return reply_of(body)


def reply_of(body: dict[str, Any]) -> Reply:
    """A response that has come to its end. Raises ContentFiltered where the filter left nothing of it."""
    items, reason, usage = objects(body["output"]), finish_reason(body), usage_of(body.get("usage"))
    message = message_of(items)
    if reason == CONTENT_FILTER and not message.text and not message.tool_calls and not message.refusal:
        raise filtered("", usage)
    payload = pb.ChatResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    payload.choices.add(message=message, finish_reason=reason, logprobs=_logprobs(items))
    if metadata := metadata_of(body, items):
        payload.provider_metadata.CopyFrom(to_struct(metadata))
    cost = cost_of(body.get("usage"))
    return Reply(payload, usage, payload.model, (reason,), payload.id, cost)


def _still_running(body: dict[str, Any], response: HttpResponse) -> Pending:
    """A background response is asked for under the address that it was made at."""
    if not (response_id := text_of(body, "id")):
        raise _garbled("the answer is not there yet, and has no id to ask for", response)
    return Pending(HttpRequest("GET", f"./{quote(response_id, safe='')}", {"accept": "application/json"}), POLL_S)


def _logprobs(items: list[dict[str, Any]]) -> Any:
    """In the form of chat completions: {"content": [...]}; None where there are none."""
    found = [
        entry
        for item in items
        for part in objects(item.get("content"))
        if item.get("type") == "message"
        for entry in objects(part.get("logprobs"))
    ]
    return to_struct({"content": found}) if found else None


def metadata_of(body: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """What the provider said beyond our fields. `output`: the items of its own tools; `annotations`: of all texts."""
    metadata = {name: value for name, value in body.items() if name not in _KNOWN and value not in (None, [], {}, "")}
    if others := [item for item in items if text_of(item, "type") not in _OURS]:
        metadata["output"] = others
    annotations = [
        note for item in items for part in objects(item.get("content")) for note in objects(part.get("annotations"))
    ]
    if annotations:
        metadata["annotations"] = annotations
    # Of Perplexity: how often each of its tools was used, which its bill goes by.
    usage = body.get("usage")
    if isinstance(usage, dict) and usage.get("tool_calls_details"):
        metadata["tool_calls_details"] = usage["tool_calls_details"]
    return metadata


def _object(response: HttpResponse) -> dict[str, Any]:
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise _garbled("the answer is not JSON", response) from None
    if not isinstance(body, dict):
        raise _garbled("the answer is not a JSON object", response)
    return body


def _told_by(response: HttpResponse, fault: Fault) -> Fault:
    """With what the answer's headers say."""
    fault.provider_request_id = provider_request_id(response.headers)
    fault.retry_after_s = retry_after_s(response.headers)
    return fault


def _garbled(message: str, response: HttpResponse) -> Garbled:
    return Garbled(message, http_status=response.status, provider_request_id=provider_request_id(response.headers))

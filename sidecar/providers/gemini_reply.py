"""Whole answers of generateContent."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.providers.gemini_answer import Answer
from sidecar.providers.gemini_fault import error_in, fault_of_error
from sidecar.providers.http import provider_request_id
from sidecar.providers.reading import garbled, objects
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import invocation_pb2
from taximeter.v1 import payload_pb2 as pb


def decode_chat(response: HttpResponse) -> Reply:
    answer = Answer()
    parts: list[Any] = []
    for body in _bodies(response):
        if body.get("error"):
            raise fault_of_error(error_in(body), 0, response.headers)
        parts += answer.read(body)
    if (fault := answer.fault()) is not None:
        fault.http_status = response.status
        fault.provider_request_id = provider_request_id(response.headers)
        raise fault
    payload = pb.ChatResponse(id=answer.response_id, model=answer.model)
    for candidate in answer.in_order:
        message = _message([part for part in parts if part.choice_index == candidate.index])
        choice = payload.choices.add(index=candidate.index, message=message, finish_reason=candidate.finish)
        if isinstance(logprobs := candidate.said.pop("logprobsResult", None), dict):
            choice.logprobs.CopyFrom(to_struct(logprobs))
    if (metadata := answer.metadata()) is not None:
        payload.provider_metadata.CopyFrom(metadata)
    finishes = tuple(candidate.finish for candidate in answer.in_order)
    return Reply(payload, answer.usage, answer.model, finishes, answer.response_id)


def _bodies(response: HttpResponse) -> list[dict[str, Any]]:
    """One; or the list that a stream comes as where a gateway asks for no stream of events."""
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        found = None
    bodies = objects(found if isinstance(found, list) else [found])
    if not bodies:
        raise garbled("the answer is not a JSON object", response)
    return bodies


def _message(parts: list[Any]) -> pb.ChatMessage:
    """The message that a stream of these parts amounts to."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    texts = []
    for part in parts:
        if isinstance(part, invocation_pb2.ToolCallDelta):
            message.tool_calls.add(id=part.id, name=part.name, arguments=part.arguments, signature=part.signature)
        elif part.HasField("reasoning_block"):
            message.reasoning_blocks.append(part.reasoning_block)
        elif part.text:
            texts.append(part.text)
        else:
            message.reasoning += part.reasoning
    if texts:
        message.text = "".join(texts)
    return message

"""Whole answers of generateContent."""

from __future__ import annotations

from typing import Any

from sidecar.providers.gemini_answer import Answer
from sidecar.providers.gemini_fault import error_in, fault_of_error
from sidecar.providers.http import provider_request_id
from sidecar.providers.reading import answer_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import invocation_pb2
from taximeter.v1 import payload_pb2 as pb


def decode_chat(response: HttpResponse) -> Reply:
    body = answer_of(response)
    if body.get("error") and not body.get("candidates"):
        raise fault_of_error(error_in(body), 0, response.headers)
    answer = Answer()
    parts = list(answer.read(body))
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

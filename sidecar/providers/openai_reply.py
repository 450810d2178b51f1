"""Whole answers on the OpenAI wire (platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered
from sidecar.providers.openai_fault import fault_of_error
from sidecar.providers.openai_messages import split_content, tool_call
from sidecar.providers.openai_usage import cost_of, usage_of
from sidecar.providers.reading import answer_of, garbled, index_of, objects, text_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

CONTENT_FILTER = "content_filter"
CAUTION_FROM = 0.4
"""A score of a category that was not flagged, from which on the rating is CAUTION."""

_KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "data", "results", "error"})
_KNOWN_IN_CHOICE = frozenset({"index", "message", "delta", "text", "finish_reason", "logprobs"})
_KNOWN_IN_MESSAGE = frozenset(
    {"role", "content", "tool_calls", "function_call", "reasoning", "reasoning_content", "refusal"}
)


def decode_chat(response: HttpResponse) -> Reply:
    body = _object(response)
    choices = _list_of_objects(body, "choices", response)
    payload = pb.ChatResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    for place, choice in enumerate(choices):
        said = choice.get("message")
        if not isinstance(said, dict):
            raise garbled("a choice has no message", response)
        payload.choices.add(
            index=index_of(choice, place),
            message=_chat_message(said),
            finish_reason=finish_reason(choice),
            logprobs=_struct_or_none(choice.get("logprobs")),
        )
    _add_metadata(payload, body, choices)
    said_anything = any(choice.message.ByteSize() > _EMPTY_MESSAGE_BYTES for choice in payload.choices)
    return _generated(payload, body, said_anything)


def decode_completion(response: HttpResponse) -> Reply:
    body = _object(response)
    choices = _list_of_objects(body, "choices", response)
    payload = pb.CompletionResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    for place, choice in enumerate(choices):
        payload.choices.add(
            index=index_of(choice, place),
            text=completed(choice, "message"),
            finish_reason=finish_reason(choice),
            logprobs=_struct_or_none(choice.get("logprobs")),
        )
    _add_metadata(payload, body, choices)
    return _generated(payload, body, any(choice.text for choice in payload.choices))


def decode_embedding(response: HttpResponse) -> Reply:
    body = _object(response)
    payload = pb.EmbeddingResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    for place, entry in enumerate(_list_of_objects(body, "data", response)):
        payload.embeddings.add(index=index_of(entry, place), values=_vector(entry.get("embedding"), response))
    _add_metadata(payload, body, ())
    return _reply(payload, body)


def decode_moderation(response: HttpResponse) -> Reply:
    """platform.openai.com/docs/api-reference/moderations; Mistral's has no `flagged` of its own."""
    body = _object(response)
    payload = pb.ModerationResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    payload.results.extend(_moderated(result) for result in _list_of_objects(body, "results", response))
    _add_metadata(payload, body, ())
    return _reply(payload, body)


def completed(choice: dict[str, Any], message: str) -> str:
    """The text of a completion's choice; in its message (or delta) where a server answers in these (Mistral)."""
    said = choice.get(message)
    return text_of(choice, "text") or (split_content(said.get("content"))[0] if isinstance(said, dict) else "")


def finish_reason(choice: dict[str, Any]) -> str:
    """As the provider wrote it; empty where it gave none (documented as always there; Snowflake sends "")."""
    return text_of(choice, "finish_reason")


def reasoning_of(said: dict[str, Any]) -> str:
    """`reasoning_content` (DeepSeek, Moonshot, Alibaba, Zhipu, vLLM) or `reasoning` (Groq, OpenRouter, Ollama)."""
    return text_of(said, "reasoning_content") or text_of(said, "reasoning")


def filtered(message: str, usage: Usage | None) -> ContentFiltered:
    return ContentFiltered(message or "the provider's content filter withheld the answer", usage=usage)


_EMPTY_MESSAGE_BYTES = pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="").ByteSize()


def _chat_message(said: dict[str, Any]) -> pb.ChatMessage:
    text, thought = split_content(said.get("content"))
    message = pb.ChatMessage(
        role=pb.ROLE_ASSISTANT, reasoning=thought or reasoning_of(said), refusal=text_of(said, "refusal")
    )
    if said.get("content") is not None:
        message.text = text
    calls = objects(said.get("tool_calls"))
    # Before tools there were functions, one a message: platform.openai.com/docs/api-reference/chat/object
    single = said.get("function_call")
    if not calls and isinstance(single, dict) and single.get("name"):
        calls = [{"function": single}]
    for entry in calls:
        call_id, name, arguments = tool_call(entry)
        message.tool_calls.add(id=call_id, name=name, arguments=arguments)
    return message


def _moderated(result: dict[str, Any]) -> pb.ModerationResult:
    flags, numbers = _mapping(result.get("categories")), _mapping(result.get("category_scores"))
    scores = sorted(
        (
            pb.ModerationScore(category=name, score=_score(numbers.get(name)), flagged=flags.get(name) is True)
            for name in {**flags, **numbers}
        ),
        key=lambda score: (-score.score, score.category),
    )
    concerns = [score.category for score in scores if score.flagged]
    unsafe = bool(concerns) or result.get("flagged") is True
    caution = bool(scores) and scores[0].score >= CAUTION_FROM
    rating = pb.RATING_UNSAFE if unsafe else pb.RATING_CAUTION if caution else pb.RATING_SAFE
    return pb.ModerationResult(safe=not unsafe, concerns=concerns, rating=rating, scores=scores)


def _score(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _vector(values: Any, response: HttpResponse) -> Iterable[float]:
    """Numbers, or float32 in base64 (platform.openai.com/docs/api-reference/embeddings: `encoding_format`)."""
    try:
        # Little-endian, as are the machines that this runs on.
        return array("f", values if isinstance(values, list) else base64.b64decode(values, validate=True))
    except (TypeError, ValueError, OverflowError):
        raise garbled("an embedding is neither numbers nor base64", response) from None


def _object(response: HttpResponse) -> dict[str, Any]:
    """The body. Raises Garbled, or the fault of an error that came under a good status (OpenRouter)."""
    body = answer_of(response)
    if (error := next(_errors(body), None)) is not None:
        raise fault_of_error(error, 0, response.headers)
    return body


def _errors(body: dict[str, Any]) -> Iterator[Any]:
    if error := body.get("error"):
        yield error
    for choice in objects(body.get("choices")):
        if error := choice.get("error"):
            yield error


def _list_of_objects(body: dict[str, Any], name: str, response: HttpResponse) -> list[dict[str, Any]]:
    entries = body.get(name)
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise garbled(f"the answer has no {name}", response)
    return entries


def _generated(payload: pb.ChatResponse | pb.CompletionResponse, body: dict[str, Any], said_anything: bool) -> Reply:
    reasons = tuple(choice.finish_reason for choice in payload.choices)
    if not said_anything and set(reasons) == {CONTENT_FILTER}:
        raise filtered("", usage_of(body.get("usage")))
    return _reply(payload, body, reasons)


def _reply(payload: Any, body: dict[str, Any], finish_reasons: tuple[str, ...] = ()) -> Reply:
    usage = body.get("usage")
    return Reply(
        payload=payload,
        usage=usage_of(usage),
        model=payload.model,
        finish_reasons=finish_reasons,
        response_id=payload.id,
        provider_cost_picodollars=cost_of(usage),
    )


def _add_metadata(payload: Any, body: dict[str, Any], choices: Iterable[dict[str, Any]]) -> None:
    """What the provider said beyond our fields; what it said of a choice stands under "choices", in their order."""
    extras = _beyond(body, _KNOWN)
    of_choices = [
        _beyond(choice, _KNOWN_IN_CHOICE) | _beyond(_mapping(choice.get("message")), _KNOWN_IN_MESSAGE)
        for choice in choices
    ]
    if any(of_choices):
        extras["choices"] = of_choices
    if extras:
        payload.provider_metadata.CopyFrom(to_struct(extras))


def _beyond(said: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in known and value not in (None, [], {}, "")}


def _struct_or_none(value: Any) -> Any:
    return to_struct(value) if isinstance(value, dict) else None

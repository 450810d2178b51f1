"""Whole answers of Cohere (docs.cohere.com/reference/chat, docs.cohere.com/reference/embed)."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterable
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered, ContextTooLong, Fault, ServerError
from sidecar.providers.cohere_messages import read_message
from sidecar.providers.cohere_usage import chat_usage, embedding_usage
from sidecar.providers.reading import answer_of, garbled, text_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

_KNOWN = frozenset({"id", "finish_reason", "message", "logprobs"})
_KNOWN_IN_MESSAGE = frozenset({"role", "content", "tool_plan", "tool_calls"})
_KNOWN_IN_EMBEDDING = frozenset({"id", "embeddings", "texts"})

# An answer that ends so is none. ERROR and TIMEOUT are of version 2; the others are among the reasons of version 1
# (docs.cohere.com/v1/reference/chat), and what they say holds wherever they come.
_BROKEN: dict[str, type[Fault]] = {
    "ERROR": ServerError,
    "TIMEOUT": ServerError,
    "ERROR_LIMIT": ContextTooLong,
    "USER_CANCEL": ServerError,
}
_TOXIC = "ERROR_TOXIC"


def decode_chat(response: HttpResponse) -> Reply:
    body = answer_of(response)
    said = body.get("message")
    if not isinstance(said, dict):
        raise garbled("the answer has no message", response)
    message, reason, usage = read_message(said), text_of(body, "finish_reason"), chat_usage(body.get("usage"))
    anything = bool(message.text or message.reasoning or message.tool_calls)
    if (fault := fault_of_reason(reason, anything, usage)) is not None:
        raise fault
    payload = pb.ChatResponse(id=text_of(body, "id"))
    choice = payload.choices.add(message=message, finish_reason=reason)
    if body.get("logprobs"):
        choice.logprobs.CopyFrom(to_struct({"content": body["logprobs"]}))
    _add_metadata(payload, _beyond(body, _KNOWN), _beyond(said, _KNOWN_IN_MESSAGE))
    return Reply(payload, usage, finish_reasons=(reason,), response_id=payload.id)


def decode_embedding(response: HttpResponse) -> Reply:
    """`embeddings` holds a list for each type that was asked for; floats where there are any."""
    body = answer_of(response)
    by_type = body.get("embeddings")
    if not isinstance(by_type, dict):
        raise garbled("the answer has no embeddings", response)
    lists = {name: vectors for name, vectors in by_type.items() if isinstance(vectors, list)}
    chosen = next((name for name in ("float", "base64", *lists) if name in lists), None)
    if chosen is None:
        raise garbled("the answer has no embeddings", response)
    payload = pb.EmbeddingResponse(id=text_of(body, "id"))
    for index, vector in enumerate(lists.pop(chosen)):
        payload.embeddings.add(index=index, values=_vector(vector, response))
    extras = _beyond(body, _KNOWN_IN_EMBEDDING) | ({"embeddings": lists} if lists else {})
    if extras:
        payload.provider_metadata.CopyFrom(to_struct(extras))
    return Reply(payload, embedding_usage(body.get("meta")), response_id=payload.id)


def fault_of_reason(reason: str, anything: bool, usage: Usage | None, words: str = "") -> Fault | None:
    """What a finish reason says of an answer that is none; `anything`: it has content."""
    if reason in _BROKEN:
        return _BROKEN[reason](words or f"the provider broke off its answer ({reason})", usage=usage)
    if reason == _TOXIC and not anything:
        return ContentFiltered(words or "the provider's content filter withheld the answer", usage=usage)
    return None


def _vector(values: Any, response: HttpResponse) -> Iterable[float]:
    """Numbers of any type, or float32 in base64."""
    try:
        # Little-endian, as are the machines that this runs on.
        return array("f", values if isinstance(values, list) else base64.b64decode(values, validate=True))
    except (TypeError, ValueError, OverflowError):
        raise garbled("an embedding is neither numbers nor base64", response) from None


def _add_metadata(payload: pb.ChatResponse, extras: dict[str, Any], of_message: dict[str, Any]) -> None:
    if of_message:
        extras["choices"] = [of_message]
    if extras:
        payload.provider_metadata.CopyFrom(to_struct(extras))


def _beyond(said: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in known and value not in (None, [], {}, "")}

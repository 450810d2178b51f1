"""Whole answers of Ollama (docs.ollama.com/api/chat, /api/generate and /api/embed)."""

from __future__ import annotations

from array import array
from typing import Any

from google.protobuf.struct_pb2 import Struct

from sidecar.core.faults import StreamCut
from sidecar.providers.ollama_fault import fault_of_error
from sidecar.providers.ollama_messages import read_message
from sidecar.providers.ollama_usage import usage_of
from sidecar.providers.reading import answer_of, garbled, text_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

_KNOWN = frozenset(
    {
        *("model", "created_at", "message", "response", "embeddings", "done", "done_reason", "logprobs", "error"),
        *("prompt_eval_count", "eval_count"),
    }
)


def decode_chat(response: HttpResponse) -> Reply:
    body = _finished(response)
    said = body.get("message")
    if not isinstance(said, dict):
        raise garbled("the answer has no message", response)
    payload = pb.ChatResponse(model=text_of(body, "model"))
    choice = payload.choices.add(message=read_message(said), finish_reason=text_of(body, "done_reason"))
    return _reply(payload, choice, body)


def decode_completion(response: HttpResponse) -> Reply:
    body = _finished(response)
    if not isinstance(body.get("response"), str):
        raise garbled("the answer has no response", response)
    payload = pb.CompletionResponse(model=text_of(body, "model"))
    choice = payload.choices.add(text=text_of(body, "response"), finish_reason=text_of(body, "done_reason"))
    return _reply(payload, choice, body)


def decode_embedding(response: HttpResponse) -> Reply:
    body = _object(response)
    vectors = body.get("embeddings")
    if not isinstance(vectors, list) or not vectors:
        raise garbled("the answer has no embeddings", response)
    payload = pb.EmbeddingResponse(model=text_of(body, "model"))
    for index, vector in enumerate(vectors):
        try:
            payload.embeddings.add(index=index, values=array("f", vector))
        except (TypeError, OverflowError):
            raise garbled("an embedding is not numbers", response) from None
    _add_metadata(payload, body)
    return Reply(payload, usage_of(body), payload.model)


def _reply(payload: Any, choice: Any, body: dict[str, Any]) -> Reply:
    if body.get("logprobs"):
        choice.logprobs.CopyFrom(to_struct({"content": body["logprobs"]}))
    _add_metadata(payload, body)
    return Reply(payload, usage_of(body), payload.model, (choice.finish_reason,))


def metadata_of(said: dict[str, Any]) -> Struct | None:
    """Durations in nanoseconds, and whatever else it said; None if nothing."""
    extras = {name: value for name, value in said.items() if name not in _KNOWN and value not in (None, [], {}, "")}
    return to_struct(extras) if extras else None


def _add_metadata(payload: Any, body: dict[str, Any]) -> None:
    if (extras := metadata_of(body)) is not None:
        payload.provider_metadata.CopyFrom(extras)


def _finished(response: HttpResponse) -> dict[str, Any]:
    body = _object(response)
    if body.get("done") is not True:
        raise StreamCut("the answer does not say that it is done", http_status=response.status)
    return body


def _object(response: HttpResponse) -> dict[str, Any]:
    """The body. Raises Garbled, or the fault of an error that came under a good status."""
    body = answer_of(response)
    if error := body.get("error"):
        raise fault_of_error(error, 0, response.headers)
    return body

"""Ollama's own wire (docs.ollama.com/api), beside its OpenAI-compatible one under /v1."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers import ollama_reply, ollama_request
from sidecar.providers.ollama_fault import fault_of_response
from sidecar.providers.ollama_stream import ChatParts, StreamReader, completion_parts
from sidecar.providers.wire import Codec, Reader, Wire


def chat_reader() -> Reader:
    return StreamReader(ChatParts())


def completion_reader() -> Reader:
    return StreamReader(completion_parts)


WIRE: Wire = {
    Operation.CHAT: Codec(ollama_request.encode_chat, ollama_reply.decode_chat, fault_of_response, reader=chat_reader),
    Operation.COMPLETION: Codec(
        ollama_request.encode_completion, ollama_reply.decode_completion, fault_of_response, reader=completion_reader
    ),
    Operation.EMBEDDING: Codec(ollama_request.encode_embedding, ollama_reply.decode_embedding, fault_of_response),
}

"""The OpenAI wire: OpenAI itself, and every server that speaks its language (see docs/providers.md)."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers import openai_reply, openai_request
from sidecar.providers.openai_fault import fault_of_response
from sidecar.providers.openai_stream import ChatParts, StreamReader, completion_parts
from sidecar.providers.wire import Codec, Reader, Wire


def chat_reader() -> Reader:
    return StreamReader(ChatParts())


def completion_reader() -> Reader:
    return StreamReader(completion_parts)


WIRE: Wire = {
    Operation.CHAT: Codec(openai_request.encode_chat, openai_reply.decode_chat, fault_of_response, reader=chat_reader),
    Operation.COMPLETION: Codec(
        openai_request.encode_completion, openai_reply.decode_completion, fault_of_response, reader=completion_reader
    ),
    Operation.EMBEDDING: Codec(openai_request.encode_embedding, openai_reply.decode_embedding, fault_of_response),
    Operation.MODERATION: Codec(openai_request.encode_moderation, openai_reply.decode_moderation, fault_of_response),
}

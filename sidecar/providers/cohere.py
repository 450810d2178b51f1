"""Cohere's own wire, version 2 of its API (docs.cohere.com/reference/about)."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers import cohere_reply, cohere_request
from sidecar.providers.cohere_fault import fault_of_response
from sidecar.providers.cohere_stream import ChatReader
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {
    Operation.CHAT: Codec(cohere_request.encode_chat, cohere_reply.decode_chat, fault_of_response, reader=ChatReader),
    Operation.EMBEDDING: Codec(cohere_request.encode_embedding, cohere_reply.decode_embedding, fault_of_response),
}

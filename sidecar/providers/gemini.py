"""The Gemini wire: Google's own API for Gemini, at the Gemini API and at Vertex AI (see docs/providers.md)."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers.gemini_embedding import decode_embedding, encode_embedding
from sidecar.providers.gemini_fault import fault_of_response
from sidecar.providers.gemini_reply import decode_chat
from sidecar.providers.gemini_request import encode_chat
from sidecar.providers.gemini_stream import ChatReader
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {
    Operation.CHAT: Codec(encode_chat, decode_chat, fault_of_response, reader=ChatReader),
    Operation.EMBEDDING: Codec(encode_embedding, decode_embedding, fault_of_response),
}

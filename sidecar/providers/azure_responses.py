"""The Azure OpenAI wire with chat by the Responses API."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers import azure
from sidecar.providers.azure_fault import fault_of_response
from sidecar.providers.responses_reply import decode_chat
from sidecar.providers.responses_stream import ResponseStream
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {
    **azure.WIRE,
    Operation.CHAT: Codec(azure.encode_response, decode_chat, fault_of_response, reader=ResponseStream),
}

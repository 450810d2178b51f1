"""The OpenAI Responses wire: chat by `/responses`; what that API does not have goes as on the OpenAI wire."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers import openai, responses_reply, responses_request
from sidecar.providers.openai_fault import fault_of_response
from sidecar.providers.responses_stream import ResponseStream
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {
    **openai.WIRE,
    Operation.CHAT: Codec(
        responses_request.encode_chat, responses_reply.decode_chat, fault_of_response, reader=ResponseStream
    ),
}

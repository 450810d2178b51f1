"""The Replicate wire: predictions, answered at once, polled, or streamed (replicate.com/docs/reference/http)."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers.replicate_fault import fault_of_response
from sidecar.providers.replicate_prediction import decode_chat
from sidecar.providers.replicate_request import encode_chat
from sidecar.providers.replicate_stream import StreamReader
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {Operation.CHAT: Codec(encode_chat, decode_chat, fault_of_response, reader=StreamReader)}

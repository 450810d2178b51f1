"""The Anthropic wire: the Messages API, and every server that speaks it (see docs/providers.md)."""

from __future__ import annotations

from sidecar.core.call import Operation
from sidecar.providers.anthropic_fault import fault_of_response
from sidecar.providers.anthropic_reply import decode_chat
from sidecar.providers.anthropic_request import encode_chat
from sidecar.providers.anthropic_stream import StreamReader
from sidecar.providers.wire import Codec, Wire

WIRE: Wire = {Operation.CHAT: Codec(encode_chat, decode_chat, fault_of_response, reader=StreamReader)}

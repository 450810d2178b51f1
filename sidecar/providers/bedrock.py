"""The AWS Bedrock wire: Converse and ConverseStream
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html)."""

from __future__ import annotations

import time
from collections.abc import Callable

from sidecar.core.call import Operation
from sidecar.providers.bedrock_fault import fault_of_response
from sidecar.providers.bedrock_reply import decode_chat
from sidecar.providers.bedrock_request import encoder
from sidecar.providers.bedrock_stream import StreamReader
from sidecar.providers.wire import Codec, Wire


def wire_at(now_s: Callable[[], float]) -> Wire:
    """`now_s`: seconds since the epoch; a signature holds for some minutes around its time."""
    return {
        Operation.CHAT: Codec(encoder(now_s), decode_chat, fault_of_response, reader=StreamReader),
    }


WIRE: Wire = wire_at(time.time)

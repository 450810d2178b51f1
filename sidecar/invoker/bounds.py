"""The most that an attempt can come to, before it is made: what budgets hold for it."""

from __future__ import annotations

from sidecar.budget import Bound
from sidecar.core.call import Call
from sidecar.core.money import MILLION
from sidecar.invoker.lengths import Lengths
from sidecar.invoker.meter import Prices
from sidecar.routing import Planned
from taximeter.v1 import payload_pb2

MEDIA_TOKENS = 6_000
"""Of an image or a piece of audio, beyond its bytes: what it counts for hangs on its size in pixels or seconds."""
DOCUMENT_TOKENS = 200_000
"""Of a document that the provider fetches itself."""
TOOLS_TOKENS = 600
"""Providers add a prompt of their own where tools are given
(docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview)."""
_ROUNDING = 8
"""Picodollars: each meter of a cost is rounded by itself."""


def bounded_input(call: Call) -> int:
    """Tokens: none is shorter than a byte of the encoded payload; what stands elsewhere, or is no text, is added."""
    tokens = call.bytes_in
    payload = call.payload
    if isinstance(payload, payload_pb2.ChatRequest):
        if payload.tools:
            tokens += TOOLS_TOKENS
        for message in payload.messages:
            if not message.HasField("text"):  # then it has no parts
                tokens += sum(map(_beyond, message.parts))
    return tokens


def _beyond(part: payload_pb2.ContentPart) -> int:
    match part.WhichOneof("part"):
        case "image" | "audio":
            return MEDIA_TOKENS
        case "file":
            return MEDIA_TOKENS if part.file.data else DOCUMENT_TOKENS
    return 0


def bound_of(planned: Planned, lengths: Lengths, input_tokens: int, prices: Prices) -> Bound:
    """Of one attempt there. `lengths` and `input_tokens`: the call's, by `lengths_of` and `bounded_input`."""
    context = planned.context_tokens
    tokens_in = context if 0 < context < input_tokens else input_tokens
    tokens_out = lengths.longest(planned.most_output_tokens)
    most = prices.ceiling(planned.account, planned.target.model)
    if most is None:
        return Bound(None, 0, tokens_in, tokens_out, lengths.choices)
    price_in, price_out = most.at(tokens_in)
    dearest = -(-tokens_in * price_in // MILLION) + most.request + _ROUNDING
    return Bound(dearest, price_out, tokens_in, tokens_out, lengths.choices)

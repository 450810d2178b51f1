"""Perplexity's Agent API: chat by `/v1/responses` (docs.perplexity.ai/docs/agent-api).

Its answers are those of the Responses API. In streams (references/response-and-streaming.md of the vendor's
github.com/perplexityai/api-platform-developers; packages/perplexity/src/__fixtures__/agent-web-search.chunks.txt of
github.com/vercel/ai) calls to its own tools are told as functions that begin, under names like "search_web", and end as
another item: what is really asked of the caller is a function that is done, or stands in the answer at the end.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Operation
from sidecar.providers import perplexity_request
from sidecar.providers.openai_fault import fault_of_response
from sidecar.providers.reading import text_of
from sidecar.providers.responses_output import CALLS, call_id
from sidecar.providers.responses_parts import Event, Parts, ResponseParts
from sidecar.providers.responses_reply import decode_chat
from sidecar.providers.responses_stream import ResponseStream
from sidecar.providers.wire import Codec, Reader, Wire


class AgentParts(ResponseParts):
    """Of functions, only those that are the caller's to run."""

    def __init__(self) -> None:
        super().__init__()
        self._read_by = {kind: read for kind, read in self._read_by.items() if kind != "response.output_item.added"}
        self._told: set[str] = set()
        """Ids of calls."""

    def rest(self, items: list[Event]) -> Parts:
        yield from super().rest(items)
        for place, item in enumerate(items):
            if text_of(item, "type") in CALLS and call_id(item) not in self._told:
                yield from self._done(("untold", place), {"item": item})

    def _call(self, place: Any, item: Event) -> Parts:
        self._told.add(call_id(item))
        yield from super()._call(place, item)


def reader() -> Reader:
    return ResponseStream(AgentParts())


WIRE: Wire = {
    Operation.CHAT: Codec(perplexity_request.encode_chat, decode_chat, fault_of_response, reader=reader),
}

"""A streamed prediction (replicate.com/docs/topics/predictions/streaming): three answers, one after the other.

1. The creation's JSON names where the stream is (`urls.stream`, on another host), if the model can stream at all.
2. Server-sent events: `output` (plain text), `logs`, `error`, and `done`, whose data is {} or tells a `reason`
   ("canceled", "error").
3. The prediction again, for its `metrics`: what was used. They may come a moment later than the last event.

A model that cannot stream is asked until it is done, and its whole output is one Delta.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import Fault, Garbled, StreamCut, TooLarge
from sidecar.providers.reading import json_object
from sidecar.providers.replicate_fault import fault_of_prediction, fault_of_words
from sidecar.providers.replicate_prediction import (
    POLL_S,
    SUCCEEDED,
    UNDER_WAY,
    beyond_our_fields,
    model_of,
    poll,
    prediction_in,
    text_of_output,
    usage_of,
)
from sidecar.providers.sse import MAX_EVENT_BYTES, Event, SseParser
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpRequest, Pending, Reply
from taximeter.v1 import invocation_pb2 as pb

_USAGE_POLL_S = 0.2
_USAGE_POLLS = 5


class StreamReader:
    """`sidecar.providers.wire.Reader` of one streamed prediction."""

    def __init__(self) -> None:
        self._json = bytearray()
        """Of the prediction that is being told."""
        self._sse: SseParser | None = None
        """While the events are listened to."""
        self._prediction: dict[str, Any] = {}
        """As told last."""
        self._usage_polls = 0
        self.done = False
        self.complete = False
        """All text is there; only its usage is still asked for."""
        self.events = 0
        self.malformed = 0
        self.model = ""
        self.response_id = ""
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> Iterator[pb.Delta]:
        if self.done:
            return
        if self._sse is None:
            yield from self._read_json(data)
            return
        for event in self._sse.feed(data):
            yield from self._read_event(event)

    def finish(self) -> Reply | Pending:
        if not self.done and not self.complete:
            raise StreamCut("the stream ended before its end was told")
        if self.complete:
            return self._with_usage()
        self.done = False
        if url := _stream_url(self._prediction):
            self._sse = SseParser()
            return Pending(HttpRequest("GET", url, {"accept": "text/event-stream", "cache-control": "no-store"}))
        return Pending(poll(self.response_id), after_s=POLL_S)

    def _with_usage(self) -> Reply | Pending:
        """The text is whole: its usage, unless that has been asked for often enough."""
        told = self._sse is None and self._prediction["status"] not in UNDER_WAY
        if told or self._usage_polls == _USAGE_POLLS:
            beyond = beyond_our_fields(self._prediction)
            return Reply(
                None,
                self.usage,
                self.model,
                (SUCCEEDED,),
                self.response_id,
                provider_metadata=to_struct(beyond) if beyond else None,
            )
        after_s = _USAGE_POLL_S if self._usage_polls else 0.0
        self._usage_polls += 1
        self._sse = None
        self.complete, self.done = True, False
        return Pending(poll(self.response_id), after_s=after_s)

    def _read_json(self, data: bytes) -> Iterator[pb.Delta]:
        """A prediction; it is whole as soon as it can be read."""
        self._json += data
        if len(self._json) > MAX_EVENT_BYTES:
            raise TooLarge(f"a prediction is larger than {MAX_EVENT_BYTES} bytes")
        if not data.rstrip().endswith(b"}"):
            return
        prediction = prediction_in(bytes(self._json))
        if prediction is None:
            return
        self._json.clear()
        self.done = True
        yield from self._take(prediction)

    def _take(self, prediction: dict[str, Any]) -> Iterator[pb.Delta]:
        self._prediction = prediction
        self.model = model_of(prediction) or self.model
        self.response_id = self.response_id or prediction["id"]
        self.usage = usage_of(prediction) or self.usage
        if self.complete:
            return
        under_way = prediction["status"] in UNDER_WAY
        # That a stream will begin is no sign of life; that a prediction without one goes on is all there will be.
        self.events += not (under_way and _stream_url(prediction))
        if under_way:
            return
        if prediction["status"] != SUCCEEDED:
            raise fault_of_prediction(prediction["status"], prediction.get("error"), self.usage)
        self.complete = True
        if text := text_of_output(prediction.get("output")):
            yield pb.Delta(text=text)

    def _read_event(self, event: Event) -> Iterator[pb.Delta]:
        if self.done:
            return
        self.events += 1
        match event.name:
            case "output":
                if event.data:
                    yield pb.Delta(text=event.data.decode(errors="replace"))
            case "error":
                raise _fault_of_event(event.data)
            case "done":
                self._end(event.data)

    def _end(self, data: bytes) -> None:
        said = json_object(data)
        if said is None:
            raise Garbled("the stream's end cannot be read")
        match said.get("reason"):
            case None | "":
                self.done = self.complete = True
            case "canceled":
                raise fault_of_prediction("canceled", None, self.usage)
            case reason:
                raise fault_of_words(f"the prediction ended with: {reason}")


def _stream_url(prediction: dict[str, Any]) -> str:
    urls = prediction.get("urls")
    url = urls.get("stream") if isinstance(urls, dict) else None
    return url if isinstance(url, str) and "://" in url else ""


def _fault_of_event(data: bytes) -> Fault:
    """JSON with `detail`, or plain words."""
    said = json_object(data)
    words = said.get("detail") or said.get("error") if said else None
    return fault_of_words(words if isinstance(words, str) else data.decode(errors="replace"))

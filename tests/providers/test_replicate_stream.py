"""Streamed predictions: where the stream is, what comes over it, and what it used."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered, Fault, Garbled, ResponseTimeout, ServerError, StreamCut
from sidecar.providers.replicate_stream import StreamReader
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpRequest, Pending, Reply
from taximeter.v1 import invocation_pb2 as pb
from tests.support.providers import read

URL = "https://stream.test/v1/streams/abc"
METRICS = {"input_token_count": 4, "output_token_count": 2, "predict_time": 0.5}


def told(status: str = "starting", stream: str = URL, **more: Any) -> bytes:
    urls = {"get": "https://elsewhere.test/p1", **({"stream": stream} if stream else {})}
    return orjson.dumps({"id": "p1", "model": "meta/llama", "status": status, "urls": urls, **more}) + b"\n"


def event(name: str, data: str = "") -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\nid: 1:0\n{lines}\n".encode()


DONE = event("done", "{}")


def onward(each: StreamReader) -> HttpRequest:
    pending = each.finish()
    assert isinstance(pending, Pending)
    return pending.request


def listening() -> StreamReader:
    """A reader that has been told where the stream is."""
    each = StreamReader()
    assert read(each, told()) == []
    assert each.done
    onward(each)
    return each


def test_the_three_answers_of_a_stream() -> None:
    each = StreamReader()
    read(each, told())
    request = onward(each)
    assert (request.method, request.url, request.headers["accept"]) == ("GET", URL, "text/event-stream")
    assert (each.done, each.complete, each.events) == (False, False, 0), "that it will begin is no sign of life"
    parts = read(each, event("output", "Hel") + event("logs", "x") + event("output", "lo\n") + DONE)
    assert parts == [pb.Delta(text="Hel"), pb.Delta(text="lo\n")]
    assert (each.done, each.complete) == (True, True)
    assert onward(each).url == "/predictions/p1"
    assert (each.done, each.complete) == (False, True)
    assert read(each, told("succeeded", output=["Hel", "lo\n"], metrics=METRICS, version="v")) == []
    usage, metadata = Usage(input=4, output=2, seconds=0.5), to_struct({"version": "v"})
    assert each.finish() == Reply(None, usage, "meta/llama", ("succeeded",), "p1", provider_metadata=metadata)


def test_usage_that_comes_late_is_asked_for_again_but_not_for_ever() -> None:
    each = listening()
    read(each, event("output", "x") + DONE)
    asked = 0
    while isinstance(each.finish(), Pending):
        asked += 1
        read(each, told("processing"))
    assert 2 <= asked <= 10
    reply = each.finish()
    assert isinstance(reply, Reply)
    assert reply.usage is None


def test_an_answer_stays_whole_if_its_usage_is_never_told() -> None:
    each = listening()
    read(each, event("output", "x") + DONE)
    while isinstance(each.finish(), Pending):
        read(each, b"<html>nothing")
    assert each.complete


def test_a_model_without_streams_is_polled_and_its_output_is_one_delta() -> None:
    each = StreamReader()
    assert read(each, told(stream="")) == []
    assert onward(each).url == "/predictions/p1"
    assert each.events == 1
    assert read(each, told("processing", stream="", output=["a"])) == []
    assert onward(each).url == "/predictions/p1"
    assert read(each, told("succeeded", stream="", output=["a", "b"], metrics=METRICS)) == [pb.Delta(text="ab")]
    reply = each.finish()
    assert isinstance(reply, Reply)
    assert reply.usage == Usage(input=4, output=2, seconds=0.5)


def test_an_address_under_our_own_base_url_is_no_stream() -> None:
    each = StreamReader()
    read(each, told(stream="/account"))
    assert onward(each).url == "/predictions/p1"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(event("error", '{"detail":"out of memory"}'), ServerError, id="error"),
        pytest.param(event("error", "plain words"), ServerError, id="error-in-words"),
        pytest.param(event("error", '{"detail":"flagged as sensitive"}'), ContentFiltered, id="filtered"),
        pytest.param(event("done", '{"reason":"error"}'), ServerError, id="done-with-error"),
        pytest.param(event("done", '{"reason":"canceled"}'), ResponseTimeout, id="done-with-cancel"),
        pytest.param(event("done", "?"), Garbled, id="done-unreadable"),
    ],
)
def test_a_stream_that_ends_badly(data: bytes, kind: type[Fault]) -> None:
    each = listening()
    with pytest.raises(Fault) as caught:
        read(each, event("output", "x") + data)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "text", [pytest.param(b"", id="empty"), pytest.param(event("output", "x"), id="after-content")]
)
def test_a_stream_without_its_end_is_cut(text: bytes) -> None:
    each = listening()
    read(each, text)
    with pytest.raises(StreamCut):
        each.finish()


@pytest.mark.parametrize(
    "data", [pytest.param(b"", id="nothing"), pytest.param(told()[:-10], id="half"), pytest.param(b"[]", id="a-list")]
)
def test_a_creation_that_is_not_told_to_the_end_is_cut(data: bytes) -> None:
    each = StreamReader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_a_prediction_that_failed_at_once() -> None:
    with pytest.raises(ServerError, match="broke"):
        read(StreamReader(), told("failed", error="broke"))


@given(st.lists(st.text(alphabet="aé🎉\n {}", min_size=1), max_size=5), st.integers(1, 40))
def test_any_cut_of_bytes_reads_the_same(texts: list[str], cut: int) -> None:
    each = StreamReader()
    assert read(each, told(), cut) == []
    onward(each)
    data = b"".join(event("output", text) for text in texts) + DONE
    assert [part.text for part in read(each, data, cut)] == texts
    onward(each)
    read(each, told("succeeded", metrics=METRICS), cut)
    assert each.usage == Usage(input=4, output=2, seconds=0.5)

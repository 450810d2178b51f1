"""The SSE parser against the standard's own rules, in any cut of bytes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.faults import TooLarge
from sidecar.providers.sse import Event, SseParser

TEXT = "data: é€🎉 𝄞\n\n".encode()


def parse(data: bytes, cuts: list[int] | None = None) -> list[Event]:
    parser, found = SseParser(), []
    for start, end in zip([0, *(cuts or [])], [*(cuts or []), len(data)], strict=True):
        found += parser.feed(data[start:end])
    return found + parser.flush()


def by_the_book(data: bytes) -> list[Event]:
    """One shot, word by word after the standard, blank line at the end granted."""
    found: list[Event] = []
    values: list[bytes] = []
    name = b""
    for line in [*re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf")), b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line == b"":
            if values:
                found.append(Event(b"\n".join(values), name.decode(errors="replace")))
            values, name = [], b""
        elif field == b"data":
            values.append(value)
        elif field == b"event":
            name = value
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [(b"a", ""), (b"b", "")], id="two-events"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"a", ""), (b"b", "")], id="crlf"),
        pytest.param(b"data: a\r\rdata: b\r\r", [(b"a", ""), (b"b", "")], id="cr"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [(b"a", "")], id="byte-order-mark"),
        pytest.param(b"data: a\ndata: b\n\n", [(b"a\nb", "")], id="many-lines-joined-by-lf"),
        pytest.param(b"data:  a\n\n", [(b" a", "")], id="one-leading-space-goes"),
        pytest.param(b"data:a\n\n", [(b"a", "")], id="no-space-needed"),
        pytest.param(b": ping\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", [(b"a", "")], id="comments-pass"),
        pytest.param(b"event: error\ndata: a\n\ndata: b\n\n", [(b"a", "error"), (b"b", "")], id="name-for-one-event"),
        pytest.param(b"event: x\n\ndata: b\n\n", [(b"b", "")], id="no-data-no-event"),
        pytest.param(b"data\n\n", [(b"", "")], id="field-without-colon"),
        pytest.param(b"id: 1\nretry: 5\ndata: a\n\n", [(b"a", "")], id="id-and-retry-pass"),
        pytest.param(b"data: a\n\ndata: b", [(b"a", ""), (b"b", "")], id="last-blank-line-missing"),
        pytest.param(b"database: x\n\n", [], id="only-whole-field-names"),
        pytest.param(b"\n\n\n", [], id="blank-lines-only"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_events(data: bytes, expected: list[tuple[bytes, str]]) -> None:
    assert parse(data) == [Event(*each) for each in expected]


@pytest.mark.parametrize("cut", range(1, len(TEXT)))
def test_a_character_cut_in_two_is_whole_again(cut: int) -> None:
    assert parse(TEXT, [cut]) == [Event("é€🎉 𝄞".encode())]


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_byte_order_mark_in_pieces_is_taken_off(cut: int) -> None:
    assert parse(b"\xef\xbb\xbfdata: a\n\n", [cut]) == [Event(b"a")]


pieces = st.sampled_from(
    [
        b"data: ",
        b"data",
        b"data:",
        b"event: e",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"x",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
        b"[DONE]",
    ]
)
streams = st.lists(pieces, max_size=40).map(b"".join)


@given(data=streams, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_any_cut_gives_what_one_shot_gives(data: bytes, cuts: list[int]) -> None:
    inside = sorted(min(cut, len(data)) for cut in cuts)
    assert parse(data, inside) == by_the_book(data)


@given(data=streams)
def test_byte_by_byte_gives_what_one_shot_gives(data: bytes) -> None:
    assert parse(data, list(range(1, len(data)))) == by_the_book(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([b"data: " + b"x" * 200], id="one-endless-line"),
        pytest.param([b"data: x\n"] * 100, id="endless-lines"),
        pytest.param([b"x"] * 200, id="dripping"),
        pytest.param([b": " + b"x" * 200], id="endless-comment"),
    ],
)
def test_an_event_over_the_limit_is_refused(data: list[bytes]) -> None:
    parser = SseParser(max_event_bytes=100)
    with pytest.raises(TooLarge):
        list(map(parser.feed, data))


def test_the_limit_is_of_one_event_not_of_the_stream() -> None:
    parser = SseParser(max_event_bytes=100)
    assert sum(len(parser.feed(b"data: " + b"x" * 60 + b"\n\n")) for _ in range(50)) == 50

from __future__ import annotations

import struct

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.journal.frames import FORMAT_VERSION, MAGIC, Stop, encode, find, scan

PAYLOADS = [b"one", b"", b"three" * 40, b"\0\0four\0\0"]
WHOLE = b"".join(map(encode, PAYLOADS))
STARTS = [sum(len(encode(payload)) for payload in PAYLOADS[:place]) for place in range(len(PAYLOADS) + 1)]


def newer(payload: bytes) -> bytes:
    head = struct.pack("<4sHHI", MAGIC, FORMAT_VERSION + 1, 0, len(payload))
    return head + struct.pack("<I", google_crc32c.value(head + payload)) + payload


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_frames_come_back_in_order(payloads: list[bytes]) -> None:
    run = scan(b"".join(map(encode, payloads)))
    assert ([payload for payload, _ in run.frames], run.stop) == (payloads, Stop.END)


def test_a_tail_cut_anywhere_keeps_the_frames_before_it() -> None:
    for cut in range(len(WHOLE)):
        assert [end for _, end in scan(WHOLE[:cut]).frames] == [start for start in STARTS[1:] if start <= cut]


def test_a_flipped_bit_of_the_last_frame_keeps_those_before_and_gives_nothing_wrong() -> None:
    for place in range(STARTS[-2] * 8, len(WHOLE) * 8):
        broken = bytearray(WHOLE)
        broken[place // 8] ^= 1 << place % 8
        assert [payload for payload, _ in scan(bytes(broken)).frames] == PAYLOADS[:-1]


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_anywhere_never_gives_a_wrong_payload(place: int, change: int) -> None:
    broken = bytearray(WHOLE)
    broken[place] ^= change
    assert all(payload in PAYLOADS for payload, _ in scan(bytes(broken)).frames)


@pytest.mark.parametrize(
    ("buffer", "stop"),
    [
        pytest.param(b"", Stop.END, id="nothing-left"),
        pytest.param(bytes(64), Stop.BLANK, id="zeros-are-not-yet"),
        pytest.param(bytes(3), Stop.BLANK, id="few-zeros-are-not-yet"),
        pytest.param(encode(b"payload")[:-1], Stop.CUT, id="payload-cut"),
        pytest.param(encode(b"payload")[:9], Stop.CUT, id="header-cut"),
        pytest.param(b"garbage that is no frame", Stop.BAD, id="garbage"),
        pytest.param(struct.pack("<4sHHII", MAGIC, 1, 0, 1 << 31, 0), Stop.BAD, id="absurd-length"),
        pytest.param(newer(b"payload"), Stop.NEWER, id="newer-format"),
        pytest.param(newer(b"payload")[:-1] + b"?", Stop.BAD, id="newer-format-but-broken"),
    ],
)
def test_why_a_row_of_frames_ends(buffer: bytes, stop: Stop) -> None:
    assert scan(buffer).stop is stop


@pytest.mark.parametrize(
    ("buffer", "place"),
    [
        pytest.param(b"xx" + WHOLE, 2, id="behind-garbage"),
        pytest.param(MAGIC + b"no frame" + encode(b"frame"), 12, id="behind-a-false-magic"),
        pytest.param(MAGIC * 9, None, id="nothing-but-magic"),
        pytest.param(b"x" + newer(b"frame"), 1, id="a-newer-one-is-a-frame"),
    ],
)
def test_the_next_whole_frame_is_found(buffer: bytes, place: int | None) -> None:
    assert find(buffer) == place

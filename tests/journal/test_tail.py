from __future__ import annotations

import threading
from pathlib import Path

import google_crc32c
import pytest

from sidecar.journal import Entry, JournalVersionError, Position, Tail, sidecars
from sidecar.journal.frames import encode
from sidecar.journal.records import finished_payload, from_proto
from sidecar.journal.segments import path_of
from taximeter.journal.v1 import journal_pb2
from tests.support.journal import a_record, drain, finishes


def frame(seq: int) -> bytes:
    return encode(journal_pb2.Frame(finished=journal_pb2.CallRecord(seq=seq, status="ok")).SerializeToString())


def segment(own: Path, number: int, data: bytes, blank: int = 0) -> Path:
    own.mkdir(exist_ok=True)
    path = path_of(own, number)
    path.write_bytes(data + bytes(blank))
    return path


def seqs(found: list[Entry]) -> list[int]:
    return [seq for seq, _ in finishes(found)]


ONE, TWO, THREE = frame(1), frame(2), frame(3)


@pytest.mark.parametrize(
    ("first", "second", "found", "corrupt"),
    [
        pytest.param(ONE + TWO + bytes(500), None, [1, 2], 0, id="zeros-at-the-end-are-not-yet"),
        pytest.param(ONE + TWO[:-3] + bytes(500), None, [1], 0, id="a-torn-frame-is-not-yet"),
        pytest.param(ONE + TWO[:-3], THREE, [1, 3], 1, id="torn-and-the-next-segment-has-begun"),
        pytest.param(ONE + bytes(500), bytes(500), [1], 0, id="the-next-segment-only-stands-ready"),
        pytest.param(ONE + bytes(500), THREE, [1, 3], 0, id="the-next-segment-has-begun"),
        pytest.param(ONE + b"?" * 40 + THREE + bytes(500), None, [1, 3], 1, id="garbage-in-the-middle"),
        pytest.param(ONE + TWO[:-1] + b"?" + THREE, None, [1, 3], 1, id="a-flipped-byte-in-the-middle"),
        pytest.param(ONE + bytes(8192) + THREE, THREE, [1, 3, 3], 1, id="a-hole-in-a-complete-segment"),
        pytest.param(ONE + TWO[:12] + b"\xff\xff\xff\x03" + TWO + bytes(500), None, [1, 2], 1, id="a-wrong-length"),
        pytest.param(b"", THREE, [3], 0, id="an-empty-segment"),
        pytest.param(ONE + b"garbage", THREE, [1, 3], 1, id="garbage-at-the-end"),
    ],
)
def test_what_is_read(tmp_path: Path, first: bytes, second: bytes | None, found: list[int], corrupt: int) -> None:
    segment(tmp_path / "a", 1, first)
    if second is not None:
        segment(tmp_path / "a", 2, second)
    tail = Tail(tmp_path / "a")
    assert (seqs(drain(tail)), tail.corrupt_frames) == (found, corrupt)


def test_any_cut_and_any_flipped_byte_of_a_segment_gives_only_what_was_written(tmp_path: Path) -> None:
    whole, size = ONE + TWO + THREE, len(ONE)
    for place in range(len(whole)):
        segment(tmp_path / "a", 1, whole[:place], blank=64)
        cut = seqs(drain(Tail(tmp_path / "a")))
        segment(tmp_path / "a", 1, whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :], blank=64)
        flipped = seqs(drain(Tail(tmp_path / "a")))
        assert (cut, flipped) == ([1, 2, 3][: place // size], [seq for seq in (1, 2, 3) if seq != place // size + 1])


def test_a_torn_frame_is_read_once_it_is_whole(tmp_path: Path) -> None:
    segment(tmp_path / "a", 1, ONE + TWO[:20], blank=100)
    tail = Tail(tmp_path / "a")
    before = seqs(tail.read())
    segment(tmp_path / "a", 1, ONE + TWO, blank=100)
    assert (before, seqs(tail.read()), tail.corrupt_frames) == ([1], [2], 0)


def test_reading_goes_on_from_any_entrys_position(tmp_path: Path) -> None:
    segment(tmp_path / "a", 1, ONE + TWO)
    segment(tmp_path / "a", 2, THREE)
    found = drain(Tail(tmp_path / "a"))
    rests = [seqs(drain(Tail(tmp_path / "a", entry.position))) for entry in found]
    assert rests == [[2, 3], [3], []]


def test_retired_segments_are_passed_over(tmp_path: Path) -> None:
    segment(tmp_path / "a", 7, ONE)
    segment(tmp_path / "a", 8, TWO)
    assert seqs(drain(Tail(tmp_path / "a", Position(2, 99)))) == [1, 2]


def test_a_sidecar_that_is_not_there_has_nothing_to_read(tmp_path: Path) -> None:
    assert (Tail(tmp_path / "nobody").read(), Tail(tmp_path / "nobody").backlog_bytes()) == ([], 0)


def test_a_frame_larger_than_a_chunk_is_read(tmp_path: Path) -> None:
    big = encode(journal_pb2.Frame(finished=journal_pb2.CallRecord(seq=5, alias="x" * 700_000)).SerializeToString())
    segment(tmp_path / "a", 1, ONE + big + TWO)
    assert seqs(drain(Tail(tmp_path / "a"), max_bytes=10)) == [1, 5, 2]


def test_max_bytes_bounds_a_read(tmp_path: Path) -> None:
    segment(tmp_path / "a", 1, ONE * 1000)
    assert len(Tail(tmp_path / "a").read(max_bytes=10 * len(ONE))) == 10


def test_a_newer_format_is_told_after_what_comes_before_it(tmp_path: Path) -> None:
    newer = bytearray(TWO)
    newer[4] = 2
    newer[12:16] = google_crc32c.value(bytes(newer[:12] + newer[16:])).to_bytes(4, "little")
    segment(tmp_path / "a", 1, ONE + bytes(newer))
    tail = Tail(tmp_path / "a")
    assert seqs(tail.read()) == [1]
    with pytest.raises(JournalVersionError, match="written by a newer Taximeter"):
        tail.read()


def test_a_field_of_a_newer_minor_version_is_passed_on(tmp_path: Path) -> None:
    """An entry that this version does not know is a frame with nothing in it that it knows."""
    segment(tmp_path / "a", 1, encode(b"\xfa\x01\x02hi") + ONE)
    assert [entry.frame.WhichOneof("entry") for entry in drain(Tail(tmp_path / "a"))] == [None, "finished"]


@pytest.mark.parametrize(
    ("position", "bytes_behind"),
    [
        pytest.param(Position(0, 0), len(ONE + TWO + THREE), id="from-the-beginning"),
        pytest.param(Position(1, len(ONE)), len(TWO + THREE), id="in-a-complete-segment"),
        pytest.param(Position(2, len(THREE)), 0, id="at-the-end"),
    ],
)
def test_the_backlog_is_what_was_written_behind_the_position(
    tmp_path: Path, position: Position, bytes_behind: int
) -> None:
    segment(tmp_path / "a", 1, ONE + TWO)
    segment(tmp_path / "a", 2, THREE, blank=100_000)
    segment(tmp_path / "a", 3, b"", blank=100_000)
    assert Tail(tmp_path / "a", position).backlog_bytes() == bytes_behind


def test_sidecars_are_named(tmp_path: Path) -> None:
    segment(tmp_path / "b", 1, ONE)
    segment(tmp_path / "a", 1, ONE)
    (tmp_path / "file").touch()
    assert (sidecars(tmp_path), sidecars(tmp_path / "nowhere")) == (["a", "b"], [])


def test_a_reader_beside_a_writer_sees_every_frame_once_and_whole(tmp_path: Path) -> None:
    """The writer's own order: frames byte by byte torn, the next segment ready, its head first, then a cut."""
    own = tmp_path / "a"
    segments, frames_each = 12, 60
    segment(own, 1, b"", blank=frames_each * len(ONE))

    def write() -> None:
        for number in range(1, segments + 1):
            segment(own, number + 1, b"", blank=frames_each * len(ONE))
            with path_of(own, number).open("r+b", buffering=0) as file:
                for place in range(frames_each):
                    data = frame(number * 1000 + place)
                    file.write(data[:11])
                    file.write(data[11:])

    writer = threading.Thread(target=write)
    writer.start()
    tail, found = Tail(own), list[Entry]()
    while writer.is_alive():
        found += tail.read(max_bytes=777)
    found += drain(tail)
    expected = [number * 1000 + place for number in range(1, segments + 1) for place in range(frames_each)]
    assert (seqs(found), tail.corrupt_frames) == (expected, 0)


def test_the_record_read_is_the_record_written(tmp_path: Path) -> None:
    segment(tmp_path / "a", 1, encode(finished_payload(a_record(3))))
    assert from_proto(Tail(tmp_path / "a").read()[0].frame.finished) == a_record(3)

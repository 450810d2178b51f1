"""Places: a file is there whole or not at all, in a folder and behind a URL; what is missing is named."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from analytics.places import Place, PlaceError, place


@pytest.fixture(params=["path", "file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A folder that does not exist yet."""
    urls = {"path": str(tmp_path / "new"), "file": f"file://{tmp_path}/new", "memory": f"memory://{uuid.uuid4()}"}
    return place(urls[request.param])


def test_what_is_put_can_be_read_and_is_listed(folder: Place) -> None:
    assert folder.names() == []
    folder.within("deep").within("a.csv").put(b"one")
    folder.within("deep").within("a.csv").put(b"two")
    assert folder.within("deep").names() == ["a.csv"]
    assert folder.within("deep").within("a.csv").read() == b"two"
    assert folder.is_folder
    assert not folder.within("deep").within("a.csv").is_folder


def break_off(file: Place) -> None:
    with file.writing() as out:
        out.write(b"half")
        raise ZeroDivisionError


def test_a_file_that_breaks_off_is_not_there(folder: Place) -> None:
    with pytest.raises(ZeroDivisionError):
        break_off(folder.within("a.csv"))
    assert folder.names() == []


def test_a_file_that_breaks_off_leaves_the_one_before(folder: Place) -> None:
    folder.within("a.csv").put(b"whole")
    with pytest.raises(ZeroDivisionError):
        break_off(folder.within("a.csv"))
    assert (folder.names(), folder.within("a.csv").read()) == (["a.csv"], b"whole")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("oci://bucket/x.csv", "ocifs", id="the-package-is-named"),
        pytest.param("nonsense://x.csv", "there is no nonsense://", id="no-such-protocol"),
    ],
)
def test_a_protocol_that_cannot_be_used_says_why(url: str, says: str) -> None:
    with pytest.raises(PlaceError, match=says):
        place(url)


def test_a_place_that_cannot_be_written_says_so() -> None:
    with pytest.raises(PlaceError, match=r"/dev/null/x.csv cannot be written: "):
        place("/dev/null/x.csv").put(b"")


def test_what_is_not_there_cannot_be_read(folder: Place) -> None:
    with pytest.raises(PlaceError, match="cannot be read"):
        folder.within("a.csv").read()

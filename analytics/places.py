"""Where files go: a folder of this machine, or any URL that fsspec has a package for (s3://, gs://, memory://, ...).

A file is there whole, or it is not there: beside its place under another name until it is complete, where the place is
a folder; elsewhere it is uploaded, and shows when its upload is completed (fsspec's transactions).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fsspec.core import split_protocol, url_to_fs
from fsspec.implementations.local import LocalFileSystem


class PlaceError(Exception):
    """Nothing can be read or written there. The message is for a person, and names what is missing."""


class Output:
    """A file that is being written. `write` raises PlaceError."""

    def __init__(self, place: Place, file: IO[bytes]) -> None:
        self._place = place
        self._file = file

    def write(self, data: bytes) -> int:
        with self._place.told("written"):
            return self._file.write(data)


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder. All methods raise PlaceError."""

    url: str
    """As it was asked for."""
    path: str
    """As its file system has it."""
    system: Any

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def is_folder(self) -> bool:
        """Said to be one, or there as one."""
        if self.url.endswith("/"):
            return True
        with self.told("looked at"):
            return bool(self.system.isdir(self.path))

    def within(self, name: str) -> Place:
        """A file or folder in this folder."""
        return Place(f"{self.url.rstrip('/')}/{name}", f"{self.path.rstrip('/')}/{name}", self.system)

    def beside(self, ending: str) -> Place:
        """The same with more at the end of its name."""
        return Place(f"{self.url}{ending}", f"{self.path}{ending}", self.system)

    def names(self) -> list[str]:
        """Of what lies in this folder; none where there is no such folder."""
        with self.told("listed"):
            self.system.invalidate_cache()  # what others have written meanwhile counts
            if not self.system.exists(self.path):
                return []
            return sorted(path.rstrip("/").rpartition("/")[2] for path in self.system.ls(self.path, detail=False))

    def read(self) -> bytes:
        with self.told("read"):
            return bytes(self.system.cat_file(self.path))

    def put(self, content: bytes) -> None:
        """A whole file."""
        with self.writing() as out:
            out.write(content)

    @contextmanager
    def writing(self) -> Iterator[Output]:
        """The file is there when this ends well, and is as it was before when it does not. Makes folders as needed."""
        with self._beside() if isinstance(self.system, LocalFileSystem) else self._uploaded() as file:
            yield Output(self, file)

    @contextmanager
    def _beside(self) -> Iterator[IO[bytes]]:
        path = Path(self.path)
        half = path.with_name(f".{path.name}.half")
        with self.told("written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = half.open("wb")
        try:
            with file:
                yield file
                with self.told("written"):
                    file.flush()
                    os.fsync(file.fileno())
            with self.told("written"):
                half.replace(path)
        finally:
            half.unlink(missing_ok=True)

    @contextmanager
    def _uploaded(self) -> Iterator[IO[bytes]]:
        with self.told("written"):
            self.system.makedirs(self.path.rpartition("/")[0], exist_ok=True)
            transaction = self.system.transaction
            transaction.start()
        whole = False
        try:
            with self.told("written"):
                file = self.system.open(self.path, "wb")
            yield file
            with self.told("written"):
                file.close()
            whole = True
        finally:
            with self.told("written"):
                transaction.complete(commit=whole)

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """What a file system raises, and each package has errors of its own, as PlaceError."""
        try:
            yield
        except OSError as error:
            raise PlaceError(f"{self.url} cannot be {what}: {error.strerror or error}") from error
        except Exception as error:
            raise PlaceError(f"{self.url} cannot be {what}: {type(error).__name__}: {error}") from error


def place(url: str) -> Place:
    """A path, or a URL with the protocol of a file system. Raises PlaceError."""
    protocol, _ = split_protocol(url)
    try:
        system, path = url_to_fs(url)
    except ImportError as missing:
        raise PlaceError(f"{url}: for {protocol}:// a package is missing here. {missing}") from None
    except ValueError:
        forms = "a folder's path, or a URL of s3://, gs://, abfs://, sftp:// or what else fsspec knows"
        raise PlaceError(f"{url}: there is no {protocol}://. Write {forms}.") from None
    return Place(url, path, system)

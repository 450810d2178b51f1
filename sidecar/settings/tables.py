"""Reading a TOML or JSON table strictly: unknown keys and wrong types are errors that name their path."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sidecar.settings.nearest import did_you_mean
from sidecar.settings.sources import Origin, Problems, Value

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a file, and where it stands: `origin.name` is its path, "" for the whole file."""

    raw: Mapping[str, object] = field(repr=False)
    origin: Origin
    problems: Problems

    def __bool__(self) -> bool:
        return bool(self.raw)

    def at(self, key: str) -> Origin:
        return Origin(self.origin.place, f"{self.origin.name}.{key}" if self.origin.name else key)

    def check(self, known: Collection[str]) -> None:
        for key in self.raw.keys() - set(known):
            self.problems.error(self.at(key), f"not known here{did_you_mean(key, known)}")

    def value(self, key: str) -> Value | None:
        """None if absent or empty."""
        raw = self.raw.get(key)
        return None if raw is None or raw == "" else Value(raw, self.at(key))

    def read(self, key: str, reader: Callable[[object], T]) -> T | None:
        value = self.value(key)
        return None if value is None else self.problems.read(value, reader)

    def table(self, key: str) -> Table:
        return self._as_table(self.raw.get(key, {}), self.at(key))

    def named_tables(self) -> Iterator[tuple[str, Table]]:
        for name, raw in self.raw.items():
            yield name, self._as_table(raw, self.at(name))

    def list(self, key: str) -> list[Value]:
        raw = self.raw.get(key, [])
        if not isinstance(raw, list):
            self.problems.error(self.at(key), "is not a list")
            return []
        return [Value(item, self.at(f"{key}[{number}]")) for number, item in enumerate(raw)]

    def tables(self, key: str) -> Iterator[Table]:
        for value in self.list(key):
            yield self._as_table(value.raw, value.origin)

    def as_table(self, value: Value) -> Table:
        return self._as_table(value.raw, value.origin)

    def _as_table(self, raw: object, origin: Origin) -> Table:
        if not isinstance(raw, dict):
            self.problems.error(origin, "is not a table")
            raw = {}
        return Table(raw, origin, self.problems)


def read_file(path: Path, place: str, problems: Problems, *, required: bool = False) -> Table:
    """The file's table; empty if there is no such file, or if it cannot be read (which is an error)."""
    raw: object = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = json.loads(text) if place.endswith(".json") else tomllib.loads(text)
    except FileNotFoundError:
        if required:
            problems.error(place, f"there is no file {path}")
    except (OSError, UnicodeDecodeError, RecursionError) as mistake:
        problems.error(place, f"cannot be read: {type(mistake).__name__}")
    except ValueError as mistake:
        problems.error(place, f"is not well-formed: {mistake}")
    if not isinstance(raw, dict):
        problems.error(place, "holds no table")
        raw = {}
    return Table(raw, Origin(place), problems)

"""Where values come from: process environment over `.env`, each with its origin; and what went wrong, collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from dotenv.parser import parse_stream

from sidecar.settings.files import Stamps

ENVIRONMENT = "environment"
DOTENV = ".env"
TOML = "taximeter.toml"
JSON = "providers.json"
BUILT_IN = "built-in"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands: `place` is one of the five above, `name` a variable, or the path inside a file."""

    place: str
    name: str = ""

    def __str__(self) -> str:
        """As errors name it: "AI_ROTATION", "AI_ROTATION in .env", "taximeter.toml: system.listen"."""
        match self.place:
            case "environment":
                return self.name
            case ".env":
                return f"{self.name} in .env"
            case _:
                return f"{self.place}: {self.name}" if self.name else self.place


@dataclass(frozen=True, slots=True)
class Value:
    """A value as found. `raw` is text from the environment, any TOML or JSON value from a file."""

    raw: object = field(repr=False)
    origin: Origin

    @property
    def text(self) -> str:
        return str(self.raw)


class Mistake(NamedTuple):
    """One thing that is wrong: the variable or path at fault, and what is the matter with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigErrors(Exception):
    """Everything that is wrong with the configuration, each line naming the variable or path at fault."""

    def __init__(self, mistakes: tuple[Mistake, ...], files: Stamps) -> None:
        self.mistakes = mistakes
        self.files = files
        """What was read, or would have been if it were there: mending any of these may mend it."""
        self.errors = tuple(map(str, mistakes))
        super().__init__("\n".join(self.errors))


@dataclass(slots=True)
class Problems:
    """Collects while reading goes on, so that all errors are told together."""

    errors: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def error(self, origin: Origin | str, what: str) -> None:
        self.errors.append(Mistake(str(origin), what))

    def warn(self, origin: Origin | str, what: str) -> None:
        self.warnings.append(f"{origin}: {what}")

    def read(self, value: Value, reader: Callable[[object], T]) -> T | None:
        """`reader(value)`, or None and an error if it raises ValueError."""
        try:
            return reader(value.raw)
        except ValueError as mistake:
            self.error(value.origin, str(mistake))
            return None

    def raise_errors(self, files: Stamps) -> None:
        """`files`: those that were read."""
        if self.errors:
            raise ConfigErrors(tuple(dict.fromkeys(self.errors)), files)


@dataclass(frozen=True, slots=True)
class Sources:
    """The two places that hold variables. A variable set to nothing (or to blanks) is unset."""

    environ: Mapping[str, str] = field(repr=False)
    dotenv: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> Value | None:
        for place, variables in ((ENVIRONMENT, self.environ), (DOTENV, self.dotenv)):
            if text := variables.get(name, "").strip():
                return Value(text, Origin(place, name))
        return None

    def values(self) -> Iterator[Value]:
        """All that is set: what `.env` names in its order, then the rest, sorted (an environment has no order)."""
        for name in dict.fromkeys((*self.dotenv, *sorted(self.environ))):
            if (value := self.get(name)) is not None:
                yield value


def read_sources(environ: Mapping[str, str], cwd: Path, problems: Problems) -> Sources:
    return Sources(dict(environ), _read_dotenv(cwd / ".env", problems))


def _read_dotenv(path: Path, problems: Problems) -> dict[str, str]:
    """The file's variables; `${...}` stays as it is, so that a key may hold any character."""
    if not path.is_file():
        return {}
    variables: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    problems.error(DOTENV, f"line {binding.original.line} is not NAME=value")
                elif binding.key is not None:
                    variables.pop(binding.key, None)
                    variables[binding.key] = binding.value or ""
    except (OSError, UnicodeDecodeError) as mistake:
        problems.error(DOTENV, f"cannot be read: {type(mistake).__name__}")
    return variables

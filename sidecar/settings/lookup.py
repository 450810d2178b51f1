"""One variable or its key in [system] of taximeter.toml, with its origin remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sidecar.settings import units
from sidecar.settings.sources import BUILT_IN, TOML, Origin, Problems, Sources, Value

T = TypeVar("T")


def file_key(variable: str) -> str:
    """How taximeter.toml spells a variable: TAXIMETER_JOURNAL_KEEP -> journal_keep, AI_ROTATION -> rotation."""
    return variable.removeprefix("TAXIMETER_").removeprefix("AI_").lower()


@dataclass(frozen=True, slots=True)
class Lookup:
    """Finds what a variable or its key in [system] says, and remembers where."""

    sources: Sources
    system: Mapping[str, object]
    """The table [system] of taximeter.toml, its keys already checked."""
    problems: Problems
    origins: dict[str, Origin] = field(default_factory=dict)
    """Name -> origin, of everything looked for."""

    def find(self, variable: str) -> Value | None:
        """ "" in [system] is unset too."""
        if (value := self.sources.get(variable)) is not None:
            return value
        key = file_key(variable)
        raw = self.system.get(key)
        return None if raw is None or raw == "" else Value(raw, Origin(TOML, f"system.{key}"))

    def read(self, name: str, variable: str, reader: Callable[[object], T]) -> T | None:
        """None if it is unset, or wrong (then there is an error too)."""
        value = self.find(variable)
        self.origins[name] = Origin(BUILT_IN)
        if value is None or _is_service_link(value, reader, self.problems):
            return None
        self.origins[name] = value.origin
        return self.problems.read(value, reader)


def _is_service_link(value: Value, reader: object, problems: Problems) -> bool:
    """Kubernetes sets X_PORT=tcp://10.0.0.1:80 for a service named x: not ours, and no reason to stop."""
    link = reader is units.port and value.text.startswith(("tcp://", "udp://"))
    if link:
        problems.warn(value.origin, "ignored: it looks like the link of a Kubernetes service, not like a port")
    return link

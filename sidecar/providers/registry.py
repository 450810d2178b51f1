"""Which wires there are. A wire's module is imported when it is first asked for: start and memory stay small."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from sidecar.providers.wire import Wire

WIRES: Mapping[str, str] = {"openai": "sidecar.providers.openai"}
"""Name -> the module that has it as `WIRE`."""


def built() -> frozenset[str]:
    """The wires of this version; a row of providers.toml that names another is not usable yet."""
    return frozenset(WIRES)


@cache
def wire(name: str) -> Wire:
    """Raises LookupError for one that is not built."""
    if name not in WIRES:
        raise LookupError(f"the {name} wire is not available in this version")
    found: Wire = import_module(WIRES[name]).WIRE
    return found

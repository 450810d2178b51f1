"""Which wires there are: ours, and those that installed packages bring. A wire's module is imported when it is first
asked for: start and memory stay small."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from sidecar.core.call import Operation
from sidecar.providers.wire import Codec, Wire

WIRES: Mapping[str, str] = {
    "anthropic": "sidecar.providers.anthropic",
    "bedrock": "sidecar.providers.bedrock",
    "cohere": "sidecar.providers.cohere",
    "gemini": "sidecar.providers.gemini",
    "ollama": "sidecar.providers.ollama",
    "openai": "sidecar.providers.openai",
    "azure": "sidecar.providers.azure",
    "azure-responses": "sidecar.providers.azure_responses",
    "openai-responses": "sidecar.providers.responses",
    "perplexity-responses": "sidecar.providers.perplexity",
    "replicate": "sidecar.providers.replicate",
}
"""Name -> the module that has it as `WIRE`."""
NEEDS: Mapping[str, str] = {"bedrock": "botocore"}
"""Name -> the package that its module cannot do without, which an extra of ours brings."""
GROUP = "taximeter.wires"
"""Entry points of this group are wires: name = "package.module:WIRE" (docs/extending.md)."""


class Built(Collection[str]):
    """Names of all wires. What packages bring is looked up only for a name that is not ours: it takes a while."""

    def __contains__(self, name: object) -> bool:
        return name in _ours() or (isinstance(name, str) and name not in WIRES and _usable(name))

    def __iter__(self) -> Iterator[str]:
        return iter({**_ours(), **_brought()})

    def __len__(self) -> int:
        return len({**_ours(), **_brought()})


def built() -> Collection[str]:
    """A row of providers.toml that names another wire is not usable."""
    return Built()


@cache
def wire(name: str) -> Wire:
    """Raises LookupError for one that is not there, or that its package cannot give."""
    if name in _ours():
        found: Wire = import_module(WIRES[name]).WIRE
        return found
    if name in _brought():
        return _loaded(_brought()[name])
    raise LookupError(f"the {name} wire is not available in this version")


@cache
def _usable(name: str) -> bool:
    """Of a wire that is not ours. One that its package cannot give is told once, and is then as good as absent."""
    try:
        wire(name)
    except LookupError as missing:
        if name in _brought():
            logging.getLogger(__name__).warning("%s", missing)
        return False
    return True


@cache
def _ours() -> Mapping[str, str]:
    return {name: module for name, module in WIRES.items() if name not in NEEDS or find_spec(NEEDS[name])}


@cache
def _brought() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> Wire:
    try:
        found = point.load()
    except Exception as error:
        raise LookupError(f"the {point.name} wire cannot be loaded from {point.value}: {error!r}") from error
    if not isinstance(found, Mapping) or not all(
        isinstance(operation, Operation) and isinstance(codec, Codec) for operation, codec in found.items()
    ):
        raise LookupError(f"the {point.name} wire: {point.value} is no mapping of Operation to Codec")
    return found

"""A family: the recorded exchanges of one wire, how they are asked again, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.core.call import Operation
from tests.conformance.outcome import Outcome
from tests.support.providers_replay import Exchange


@dataclass(frozen=True)
class Explained:
    """A difference that stands, and why."""

    miss: str
    """What it begins with."""
    why: str
    exchanges: frozenset[str] = frozenset()
    """Ids; empty = wherever it occurs."""

    def covers(self, exchange: Exchange, miss: str) -> bool:
        return miss.startswith(self.miss) and (not self.exchanges or exchange.id in self.exchanges)


def _nothing(_exchange: Exchange) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Family:
    name: str
    mine: Callable[[Exchange], bool]
    """No exchange belongs to two families."""
    wire: Callable[[Exchange], str]
    """Key of sidecar.providers.registry."""
    operation: Callable[[Exchange], Operation]
    account_type: Callable[[Exchange], str]
    """Row of providers.toml."""
    base_path: Callable[[Exchange], str]
    """What of the recorded path belongs to the account's base URL."""
    model: Callable[[Exchange], str]
    """Which the call names."""
    translate: Callable[[Exchange], tuple[Any, list[str]]]
    """(our request, the recorded fields that had to go through `provider_options`)."""
    expected: Callable[[Exchange], Outcome]
    """Read from the recording without any help from the codec."""
    sent_misses: Callable[[Exchange, str, dict[str, Any]], list[str]]
    """(exchange, path, JSON) as we sent them -> what differs from the recorded request, one line each."""
    settings: Callable[[Exchange], Mapping[str, str]] = _nothing
    """Further fields of the account in taximeter.toml, and in `Account.options`."""
    explained: tuple[Explained, ...] = ()

    def why(self, exchange: Exchange, miss: str) -> str:
        """Why a difference stands; empty if it does not."""
        return next((each.why for each in self.explained if each.covers(exchange, miss)), "")

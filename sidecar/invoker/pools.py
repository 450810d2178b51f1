"""Pools, worked out once for each catalogue, destination and operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidecar.core.call import Call, Capability, Operation, Target
from sidecar.core.catalog import Account, Catalog
from sidecar.invoker.meter import Estimate, Prices, expected
from sidecar.providers.wire import Wire
from sidecar.routing import Planned, Pool, pool_of

MAX_POOLS = 1024
"""Direct calls may name any model."""
_Place = tuple[Target | None, str, Capability | None, Operation]


@dataclass(slots=True)
class Turns:
    """How many calls have gone to a pool."""

    taken: int = 0

    def take(self) -> int:
        """This call's turn."""
        turn = self.taken
        self.taken += 1
        return turn


class Pools:
    """Each pool with its own turns, so that rotation is exact for each destination."""

    def __init__(self, wires: Callable[[str], Wire], prices: Prices, estimate: Estimate) -> None:
        self._wires = wires
        self._estimate = estimate
        self._prices = prices
        self._catalog: Catalog | None = None
        self._kept: dict[_Place, tuple[Pool, Turns]] = {}

    def of(self, call: Call, catalog: Catalog) -> tuple[Pool, Turns]:
        if catalog is not self._catalog or len(self._kept) >= MAX_POOLS:
            self._catalog, self._kept = catalog, {}
        place = call.target, call.alias, None if call.alias else call.capability, call.operation
        found = self._kept.get(place)
        if found is None:
            pool = pool_of(call, catalog, self._supports, self._prices.facts)
            found = pool, Turns()
            if pool.known:  # names that callers made up must not push out the real ones
                self._kept[place] = found
        return found

    def _supports(self, account: Account, operation: Operation) -> bool:
        try:
            return operation in self._wires(account.wire)
        except LookupError:
            return False

    def price(self, planned: Planned, call: Call) -> int | None:
        """For ordering by cost: what a call of this size would come to."""
        return self._prices.comparable(planned.account, planned.target.model, *expected(call, self._estimate))

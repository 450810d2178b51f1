"""Pools, worked out once for each catalogue, destination and operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from sidecar.core.call import Call, Capability, Operation, Target
from sidecar.core.catalog import Account, Catalog
from sidecar.invoker.meter import Estimate, Prices
from sidecar.providers.wire import Wire
from sidecar.routing import Planned, Pool, pool_of

MAX_POOLS = 1024
"""Direct calls may name any model."""
_USUAL_OUTPUT_TOKENS = 256
"""Answer assumed when prices are compared for a call that sets no limit."""
_Place = tuple[Target | None, str, Capability | None, Operation]


class Pools:
    """Each pool with its own turns, so that rotation is exact for each destination."""

    def __init__(self, wires: Callable[[str], Wire], prices: Prices, estimate: Estimate) -> None:
        self._wires = wires
        self._estimate = estimate
        self._prices = prices
        self._catalog: Catalog | None = None
        self._kept: dict[_Place, tuple[Pool, Iterator[int]]] = {}

    def of(self, call: Call, catalog: Catalog) -> tuple[Pool, Iterator[int]]:
        if catalog is not self._catalog or len(self._kept) >= MAX_POOLS:
            self._catalog, self._kept = catalog, {}
        place = call.target, call.alias, None if call.alias else call.capability, call.operation
        found = self._kept.get(place)
        if found is None:
            pool = pool_of(call, catalog, self._supports, self._prices.facts)
            found = pool, count()
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
        tokens = self._estimate(call.operation.value, call.bytes_in, 0).input or 0
        output = call.parameters.max_tokens or _USUAL_OUTPUT_TOKENS
        return self._prices.comparable(planned.account, planned.target.model, tokens, output)

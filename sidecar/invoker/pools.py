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
"""Of one workspace: direct calls may name any model."""
MAX_WORKSPACES = 4096
"""Whose pools are kept; those of the one kept longest go first."""
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
        self._kept: dict[str, tuple[Catalog, dict[_Place, tuple[Pool, Turns]]]] = {}
        """By workspace."""

    def of(self, call: Call, catalog: Catalog) -> tuple[Pool, Turns]:
        kept = self._kept.get(call.workspace)
        if kept is None or kept[0] is not catalog or len(kept[1]) >= MAX_POOLS:
            kept = self._keep(call.workspace, catalog)
        place = call.target, call.alias, None if call.alias else call.capability, call.operation
        found = kept[1].get(place)
        if found is None:
            pool = pool_of(call, catalog, self._supports, self._prices.facts)
            found = pool, Turns()
            if pool.known:  # names that callers made up must not push out the real ones
                kept[1][place] = found
        return found

    def _keep(self, workspace: str, catalog: Catalog) -> tuple[Catalog, dict[_Place, tuple[Pool, Turns]]]:
        self._kept.pop(workspace, None)
        if len(self._kept) >= MAX_WORKSPACES:
            del self._kept[next(iter(self._kept))]
        fresh: tuple[Catalog, dict[_Place, tuple[Pool, Turns]]] = (catalog, {})
        self._kept[workspace] = fresh
        return fresh

    def _supports(self, account: Account, operation: Operation) -> bool:
        try:
            return operation in self._wires(account.wire)
        except LookupError:
            return False

    def price(self, planned: Planned, call: Call) -> int | None:
        """For ordering by cost: what a call of this size would come to."""
        return self._prices.comparable(planned.account, planned.target.model, *expected(call, self._estimate))

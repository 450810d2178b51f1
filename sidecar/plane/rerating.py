"""Past calls priced anew: a page of the ledger's attempts at a time, by the prices in force at each one's own time.

Budgets stay as they are: what they admitted, they admitted at the price that was known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sidecar.core.call import Cost, Usage
from sidecar.core.catalog import Account, Catalog
from sidecar.core.faults import Refusal
from sidecar.journal.records import cost_to_proto
from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.v1 import metering_pb2

PAGE = 500
"""Attempts that are priced at once, in a thread: some milliseconds."""
_Place = tuple[str, str, str]
"""(workspace, provider, provider type)"""


class Books(Protocol):
    """`LedgerClient`, as far as this needs it. Its methods raise LedgerAway."""

    async def list_ratable(self, asked: pb.ListRatableRequest) -> pb.ListRatableResponse: ...

    async def revise_costs(self, asked: pb.ReviseCostsRequest) -> pb.ReviseCostsResponse: ...


class Prices(Protocol):
    """`sidecar.pricing.Pricing`, as far as this needs it."""

    def cost(self, account: Account, model: str, reported: str, usage: Usage, at_ns: int) -> Cost: ...


@dataclass(slots=True)
class Sums:
    """Of attempts that could be priced anew. Picodollars; the unpriced count nothing."""

    calls: int = 0
    changed: int = 0
    newly_priced: int = 0
    before: int = 0
    after: int = 0
    used: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """(meter, price of a million) -> quantity and cost, of what has changed."""
    _last: tuple[str, int] | None = None
    _seen: set[str] = field(default_factory=set)

    def add(self, attempt: pb.RatableAttempt, new: Cost | None) -> None:
        """In the order of the ledger. `new`: None if it stays as it is."""
        call = attempt.key.sidecar_id, attempt.key.seq
        if call != self._last:
            self._last, self._seen = call, set()
            self.calls += 1
        amount = attempt.cost.amount_picodollars
        self.before += amount
        self.after += amount if new is None else new.amount_picodollars or 0
        if new is None:
            return
        self.changed += self._once("changed")
        if not attempt.cost.priced:
            self.newly_priced += self._once("priced")
        for line in new.lines:
            quantity_and_cost = self.used.setdefault((line.meter, line.price_per_million_picodollars), [0, 0])
            quantity_and_cost[0] += line.quantity
            quantity_and_cost[1] += line.cost_picodollars

    def _once(self, what: str) -> bool:
        """Whether it is the first of its call."""
        new = what not in self._seen
        self._seen.add(what)
        return new


class Rerater:
    def __init__(
        self, books: Books, prices: Prices, catalog: Callable[[str], Catalog], system: Callable[[], Catalog]
    ) -> None:
        """`catalog`: a workspace's; raises Refusal if there is none any more."""
        self._books = books
        self._prices = prices
        self._catalog = catalog
        self._system = system

    async def run(self, asked: pb.ListRatableRequest, revising: pb.ReviseCostsRequest | None) -> Sums:
        """From the first page to the last. `revising`: under which new costs are written; None: nothing is.

        Cut short, it leaves whole pages; the same again goes on from there. Raises LedgerAway.
        """
        sums = Sums()
        asked.limit = PAGE
        while True:
            page = (await self._books.list_ratable(asked)).attempts
            if not page:
                return sums
            costs = await asyncio.to_thread(_worked_out, page, self._accounts(page), self._prices, sums)
            if revising is not None and costs:
                del revising.costs[:]
                revising.costs.extend(costs)
                await self._books.revise_costs(revising)
            asked.after.CopyFrom(page[-1].key)

    def _accounts(self, page: Sequence[pb.RatableAttempt]) -> Mapping[_Place, Account]:
        return {place: self._account(*place) for place in {_place(each) for each in page}}

    def _account(self, workspace: str, provider: str, kind: str) -> Account:
        """As the workspace has it, else as the operator has it, else as one of its type would be."""
        system = self._system()
        try:
            seen = self._catalog(workspace)
        except Refusal:
            seen = system
        if provider in seen.accounts:
            return seen.accounts[provider]
        alike = next((each for each in system.accounts.values() if each.type == kind), None)
        return Account(provider, kind, kind, "", price_provider=alike.price_provider if alike else "")


def _worked_out(
    page: Sequence[pb.RatableAttempt], accounts: Mapping[_Place, Account], prices: Prices, sums: Sums
) -> list[pb.RevisedCost]:
    """What has another cost now; all of the page is added to `sums`."""
    changed = []
    for attempt in page:
        new = rerated(attempt, accounts[_place(attempt)], prices)
        sums.add(attempt, new)
        if new is not None:
            changed.append(pb.RevisedCost(key=attempt.key, cost=cost_to_proto(new)))
    return changed


def rerated(attempt: pb.RatableAttempt, account: Account, prices: Prices) -> Cost | None:
    """None: it stays as it is, for it comes to the same, or no price is known."""
    new = prices.cost(account, attempt.model_requested, attempt.model_reported, _usage(attempt), attempt.started_ns)
    return new if new.priced and _differs(new, attempt.cost) else None


def _differs(new: Cost, old: metering_pb2.Cost) -> bool:
    """In money: a price that has only another version now is the same."""
    if not old.priced or new.amount_picodollars != old.amount_picodollars:
        return True
    told = [(line.meter, line.quantity, line.price_per_million_picodollars) for line in old.lines]
    return told != [(line.meter, line.quantity, line.price_per_million_picodollars) for line in new.lines]


def _usage(attempt: pb.RatableAttempt) -> Usage:
    """Cache writes for an hour stand in the cost's lines alone."""
    told = attempt.usage

    def known(name: str) -> Any:
        return getattr(told, name) if told.HasField(name) else None  # type: ignore[arg-type]  # one of its fields

    for_an_hour = [line.quantity for line in attempt.cost.lines if line.meter == "cache_write_1h"]
    return Usage(
        input=known("input_tokens"),
        cache_read=known("cache_read_tokens"),
        cache_write=known("cache_write_tokens"),
        cache_write_1h=sum(for_an_hour) if for_an_hour else None,
        output=known("output_tokens"),
        reasoning=known("reasoning_tokens"),
        audio_in=known("audio_input_tokens"),
        audio_out=known("audio_output_tokens"),
        images=known("images"),
        seconds=known("seconds"),
        characters=known("characters"),
        requests=known("requests"),
    )


def _place(attempt: pb.RatableAttempt) -> _Place:
    return attempt.workspace, attempt.provider, attempt.provider_type

"""What budgets let one call spend: reserved before it, asked again before each attempt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import Any

from sidecar.budget import Bound, Budgets, BudgetUnknown, Hold, OverBudget, Who
from sidecar.core.call import Attempt, Call, Skip
from sidecar.core.catalog import Key
from sidecar.core.control import BudgetScope
from sidecar.invoker import refusals
from sidecar.invoker.bounds import bound_of, bounded_input
from sidecar.invoker.lengths import NO_ANSWER, lengths_of
from sidecar.invoker.meter import Prices
from sidecar.invoker.payloads import with_max_tokens
from sidecar.routing import Planned

UNPRICED = "no price is known, and a budget in USD holds"


class Outlay:
    """Of a call that budgets watch."""

    __slots__ = (
        *(
            "_bounds",
            "_budgets",
            "_call",
            "_cut",
            "_payload",
            "_prices",
            "_targets",
            "_who",
            "alerts",
            "granted",
            "hold",
        ),
    )

    def __init__(self, call: Call, who: Who, budgets: Budgets, prices: Prices) -> None:
        self._call = call
        self._who = who
        self._budgets = budgets
        self._prices = prices
        self._targets: Sequence[Planned] = ()
        self._bounds: Sequence[Bound] = ()
        """Of each of them."""
        self._cut: int | None = None
        self._payload: Any = call.payload
        self.hold: Hold | None = None
        """None: nothing was reserved."""
        self.granted: int | None = None
        """Output tokens a choice that the latest attempt has room for; None: for all that it may bring."""
        self.alerts: list[str] = []
        """Given by its refusals: "budget_id threshold"."""

    def open(self, targets: Sequence[Planned]) -> tuple[Sequence[Planned], list[Skip]]:
        """Reserves for the dearest of `targets`. Gives those that may be tried, and why the others may not.

        Raises Refusal (BUDGET_EXCEEDED, PRICE_UNKNOWN, BUDGET_UNKNOWN).
        """
        call, prices = self._call, self._prices
        lengths, input_tokens = lengths_of(call), bounded_input(call)
        bounds = [bound_of(each, lengths, input_tokens, prices) for each in targets]
        skips: list[Skip] = []
        if None in [bound.input_picodollars for bound in bounds] and self._budgets.needs_price(self._who):
            priced = [bound.input_picodollars is not None for bound in bounds]
            if not any(priced):
                raise refusals.price_unknown(targets)
            skips = [Skip(each.target, "UNPRICED", UNPRICED) for each in compress(targets, map(not_, priced))]
            targets, bounds = list(compress(targets, priced)), list(compress(bounds, priced))
        self._targets, self._bounds = targets, bounds
        try:
            self.hold = self._budgets.reserve(
                self._who, bounds, call.deadline_s, shrinkable=lengths is not NO_ANSWER, call_id=call.call_id
            )
        except OverBudget as over:
            raise self._refused(over) from None
        except BudgetUnknown as unknown:
            raise refusals.budget_unknown(unknown.budget, self._call.workspace) from None
        return targets, skips

    def attempt(self, planned: Planned, key: Key, before: Sequence[Attempt]) -> OverBudget | None:
        """Asks for one more attempt, after those `before`: None if there is room, else what budget of its key has none.

        Raises Refusal where it is not the key's.
        """
        if self.hold is None:
            return None
        bound = next(compress(self._bounds, [each is planned for each in self._targets]))
        try:
            over = self.hold.attempt(key.key_id, bound, *_spent(before))
        except BudgetUnknown as unknown:
            raise refusals.budget_unknown(unknown.budget, self._call.workspace) from None
        if over is None:
            most = self.hold.max_output
            self.granted = None if most is None or most >= bound.output_tokens else most
            return None
        if over.scope is BudgetScope.KEY:
            self._note(over)
            return over
        raise self._refused(over)

    def withdraw(self) -> None:
        """The attempt that was asked for last is not made after all."""
        if self.hold is not None:
            self.hold.attempt_withdrawn()

    @property
    def payload(self) -> Any:
        """As it goes out: asks for no more output than there is room for."""
        if self.granted != self._cut:
            self._cut = self.granted
            self._payload = self._call.payload if self._cut is None else with_max_tokens(self._call.payload, self._cut)
        return self._payload

    def _refused(self, over: OverBudget) -> Exception:
        self._note(over)
        return refusals.over_budget(over, self._call.workspace)

    def _note(self, over: OverBudget) -> None:
        self.alerts += [f"{alert.budget_id} {alert.threshold}" for alert in over.alerts]


def _spent(attempts: Sequence[Attempt]) -> tuple[int, int]:
    """Picodollars and tokens, what is at risk included."""
    picodollars = tokens = 0
    for attempt in attempts:
        picodollars += (attempt.cost.amount_picodollars or 0) + attempt.cost_at_risk_picodollars
        tokens += (attempt.usage.input or 0) + (attempt.usage.output or 0) + attempt.tokens_at_risk
    return picodollars, tokens

"""What budgets let one call spend: reserved before it, asked again before each attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sidecar.budget import Budgets, BudgetUnknown, Hold, OverBudget, Who
from sidecar.core.call import Attempt, Call, Skip
from sidecar.core.catalog import Key
from sidecar.core.control import BudgetScope
from sidecar.invoker import refusals
from sidecar.invoker.bounds import bound_of, bounded_input
from sidecar.invoker.lengths import ANSWERS, lengths_of
from sidecar.invoker.meter import Prices
from sidecar.invoker.payloads import with_max_tokens
from sidecar.routing import Planned

UNPRICED = "no price is known, and a budget in USD holds"


class Outlay:
    """Of a call that budgets watch."""

    __slots__ = (
        *("_budgets", "_call", "_cut", "_input_tokens", "_lengths", "_payload", "_prices", "alerts", "granted", "hold"),
    )

    def __init__(self, call: Call, budgets: Budgets, prices: Prices) -> None:
        self._call = call
        self._budgets = budgets
        self._prices = prices
        self._input_tokens = bounded_input(call)
        self._lengths = lengths_of(call)
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
        call = self._call
        who = Who(call.workspace, call.alias, call.caller)
        bounds = {each.target: bound_of(each, self._lengths, self._input_tokens, self._prices) for each in targets}
        skips: list[Skip] = []
        if self._budgets.needs_price(who):
            fit = [each for each in targets if bounds[each.target].input_picodollars is not None]
            skips = [Skip(each.target, "UNPRICED", UNPRICED) for each in targets if each not in fit]
            if not fit:
                raise refusals.price_unknown(targets)
            targets = fit
        try:
            self.hold = self._budgets.reserve(
                who,
                [bounds[each.target] for each in targets],
                call.deadline_s,
                shrinkable=call.operation in ANSWERS,
                call_id=call.call_id,
            )
        except OverBudget as over:
            raise self._refused(over) from None
        except BudgetUnknown as unknown:
            raise refusals.budget_unknown(unknown.budget) from None
        return targets, skips

    def attempt(self, planned: Planned, key: Key, before: Sequence[Attempt]) -> OverBudget | None:
        """Asks for one more attempt, after those `before`: None if there is room, else what budget of its key has none.

        Raises Refusal where it is not the key's.
        """
        if self.hold is None:
            return None
        bound = bound_of(planned, self._lengths, self._input_tokens, self._prices)
        try:
            over = self.hold.attempt(key.key_id, bound, *_spent(before))
        except BudgetUnknown as unknown:
            raise refusals.budget_unknown(unknown.budget) from None
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
        return refusals.over_budget(over)

    def _note(self, over: OverBudget) -> None:
        self.alerts += [f"{alert.budget_id} {alert.threshold}" for alert in over.alerts]


def _spent(attempts: Sequence[Attempt]) -> tuple[int, int]:
    """Picodollars and tokens, what is at risk included."""
    picodollars = tokens = 0
    for attempt in attempts:
        picodollars += (attempt.cost.amount_picodollars or 0) + attempt.cost_at_risk_picodollars
        tokens += (attempt.usage.input or 0) + (attempt.usage.output or 0) + attempt.tokens_at_risk
    return picodollars, tokens

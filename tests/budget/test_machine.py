"""Whatever happens to calls, budgets, the clock and the process, in whatever order: the books stay right."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from sidecar.budget import Alert, Amounts, Bound, Budgets, Hold, OverBudget, Who, WindowState, fold
from sidecar.core.call import Attempt, CallRecord
from sidecar.core.control import Budget, BudgetScope, Window
from tests.support.budgets import DAY_NS, Hand, attempt, bound, budget, record

HOUR_NS = DAY_NS // 24
DEADLINE_S = 100.0
WHOS = [Who("acme", alias, caller) for alias in ("smart", "fast") for caller in ("ann", "bob")]
KEYS = ("", "k1", "k2")
limits = st.none() | st.integers(0, 2000)


@st.composite
def budgets_(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "usd": draw(limits),
        "tokens": draw(limits),
        "requests": draw(st.none() | st.integers(0, 12)),
        "soft_only": draw(st.integers(0, 4)) == 0,
        "shrink": draw(st.booleans()),
        "allow_unpriced": True,
    }


@dataclass
class Under:
    """A call under way, as the invoker has it."""

    who: Who
    hold: Hold
    bounds: list[Bound]
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def spent(self) -> tuple[int, int]:
        return (
            sum((each.cost.amount_picodollars or 0) + each.cost_at_risk_picodollars for each in self.attempts),
            sum((each.usage.input or 0) + (each.usage.output or 0) + each.tokens_at_risk for each in self.attempts),
        )


class Books(RuleBasedStateMachine):
    """`snapshot`, `since` and `alerts_since` are the journal."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.told: list[Alert] = []
        self.definitions: dict[str, Budget] = {}
        self.beyond: dict[tuple[str, str], int] = {}
        """What was spent and held when a limit was set below it, or when what had expired was settled all the same."""
        self.folded: dict[tuple[str, int], Amounts] = {}
        """Of all records there are."""
        self.since: list[CallRecord] = []
        self.alerts_since: list[Alert] = []
        self.snapshot: list[WindowState] = []
        self.under: list[Under] = []
        self.seen_ns = 0
        self.budgets = Budgets(self.hand.clock(), self._tell)
        self.budgets.restore([], complete=True)

    def _tell(self, alert: Alert) -> None:
        self.told.append(alert)
        self.alerts_since.append(alert)

    @initialize(
        workspace=budgets_(), alias=budgets_(), caller=budgets_(), key=budgets_(),
        window=st.sampled_from([Window.DAY, Window.WEEK, Window.MONTH]),
        zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
        at_risk=st.booleans(),
    )  # fmt: skip
    def define(self, window: Window, zone: str, at_risk: bool, **values: dict[str, Any]) -> None:
        for scope in BudgetScope:
            made = budget(scope.value, scope, **values[scope.value], window=window, time_zone=zone)
            self.definitions[scope.value] = replace(made, count_at_risk=at_risk)
        self.budgets.follow(dict(self.definitions))
        self.take_snapshot()

    @rule(target=calls, who=st.sampled_from(WHOS), input_=st.integers(0, 300), output=st.integers(0, 200),
          price=st.integers(0, 4), choices=st.integers(1, 2), others=st.integers(0, 1))  # fmt: skip
    def reserve(self, *, who: Who, input_: int, output: int, price: int, choices: int, others: int) -> Under | None:
        bounds = [bound(input_, input_, output, price, choices), bound(None, 3, output + 5, 0, choices)][: 1 + others]
        try:
            hold = self.budgets.reserve(who, bounds, self.hand.monotonic_s + DEADLINE_S)
        except OverBudget as over:
            self.refused_rightly(over)
            return None
        under = Under(who, hold, bounds)
        self.under.append(under)
        return under

    @rule(under=calls, which=st.integers(0, 1), key=st.sampled_from(KEYS), share=st.floats(0, 1), lost=st.booleans())
    def attempt(self, under: Under | None, which: int, key: str, share: float, lost: bool) -> None:
        """One try, which comes to no more than its bound, or of which nobody knows."""
        if under not in self.under or under.hold not in self.budgets._open:
            return
        asked = under.bounds[which % len(under.bounds)]
        over = under.hold.attempt(key, asked, *under.spent)
        if over is not None:
            self.refused_rightly(over)
            return
        granted = under.hold.max_output
        output = asked.output_tokens if granted is None else min(granted, asked.output_tokens)
        used = int(output * asked.choices * share)
        tokens = asked.input_tokens + used
        cost = None if asked.input_picodollars is None else asked.input_picodollars + used * asked.output_price // 10**6
        under.attempts.append(attempt(0, 0, key, cost or 0, tokens) if lost else attempt(cost, tokens, key))

    @rule(under=calls)
    def settle(self, under: Under | None) -> None:
        if under not in self.under:
            return
        self.under.remove(under)
        made = self.finish(under)
        noted = self.budgets.noted(under.hold, made)
        self.since.append(noted)
        expired = under.hold not in self.budgets._open
        given = self.budgets.settle(under.hold, noted)
        if expired:
            self.may_be_beyond()
        assert noted.budget_alerts == tuple(f"{alert.budget_id} {alert.threshold}" for alert in given)

    @rule(under=calls)
    def settle_again(self, under: Under | None) -> None:
        if under is not None and under.hold.settled:
            self.budgets.settle(under.hold, record(under.who, under.attempts, under.hold.budget_ns))

    @rule(seconds=st.sampled_from([1.0, 100.0, 170.0]))
    def expire(self, seconds: float) -> None:
        """Nothing is ever left of a call that should be over; what it came to is written all the same, if late."""
        self.hand.monotonic_s += seconds
        self.budgets.expire()

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 7]))
    def time_passes(self, hours: int) -> None:
        self.hand.wall_ns += hours * HOUR_NS

    @rule(hours=st.sampled_from([1, 30]))
    def clock_steps_back(self, hours: int) -> None:
        self.hand.wall_ns -= hours * HOUR_NS

    @rule(scope=st.sampled_from(list(BudgetScope)), values=budgets_())
    def redefine(self, scope: BudgetScope, values: dict[str, Any]) -> None:
        old = self.definitions[scope.value]
        made = budget(scope.value, scope, **values, window=old.window, time_zone=old.time_zone)
        self.definitions[scope.value] = replace(made, count_at_risk=old.count_at_risk)
        self.budgets.follow(dict(self.definitions))
        self.may_be_beyond()

    @rule()
    def take_snapshot(self) -> None:
        self.snapshot, self.since, self.alerts_since = self.budgets.windows(), [], []
        self.seen_ns = self.budgets.clock_ns

    @rule()
    def crash(self) -> None:
        """The next incarnation ends what was open, and goes on from the snapshot and what was finished since."""
        expired = any(under.hold not in self.budgets._open for under in self.under)
        self.since += [self.finish(under) for under in self.under]
        self.under.clear()
        self.budgets = Budgets(self.hand.clock(), self._tell)
        self.budgets.restore(self.snapshot)
        self.budgets.see(self.seen_ns)
        for made in self.since:
            self.budgets.charge(made)
        for alert in self.alerts_since:
            self.budgets.restore_alert(alert.budget_id, alert.window_start_ns, alert.threshold, alert.at_ns)
        self.budgets.follow(dict(self.definitions))
        self.take_snapshot()
        if expired:
            self.may_be_beyond()

    def finish(self, under: Under) -> CallRecord:
        made = record(under.who, under.attempts, under.hold.budget_ns or self.hand.wall_ns)
        for where, amounts in fold([made], self.definitions).items():
            before = self.folded.get(where, Amounts())
            self.folded[where] = Amounts(*map(sum, zip(before, amounts, strict=True)))
        return made

    def may_be_beyond(self) -> None:
        for status in self.budgets.statuses():
            for measure in status.measures:
                self.beyond[status.budget.budget_id, measure.unit] = measure.spent + measure.held

    def refused_rightly(self, over: OverBudget) -> None:
        assert not over.budget.soft_only
        assert over.spent + over.held + over.wanted > over.limit

    @invariant()
    def limits_hold(self) -> None:
        for status in self.budgets.statuses():
            for measure in status.measures:
                assert measure.held >= 0
                beyond = self.beyond.get((status.budget.budget_id, measure.unit), 0)
                if not status.budget.soft_only:
                    assert measure.spent + measure.held <= max(measure.limit, beyond)

    @invariant()
    def spent_is_the_fold_of_the_records(self) -> None:
        assert self.budgets.unknown() == ()
        for state in self.budgets.windows():
            spent = (state.spent_picodollars, state.spent_tokens, state.spent_requests)
            assert spent == self.folded.get((state.budget_id, state.start_ns), Amounts())

    @invariant()
    def no_alert_comes_twice(self) -> None:
        given = [alert.alert_id for alert in self.told]
        assert len(given) == len(set(given))

    @precondition(lambda self: not self.under)
    @invariant()
    def nothing_is_held_when_nothing_is_under_way(self) -> None:
        assert not self.budgets._open
        for status in self.budgets.statuses():
            assert all(measure.held == 0 for measure in status.measures)


Books.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBooks = Books.TestCase

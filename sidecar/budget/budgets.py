"""Reserve before a call, settle after it: check and hold are one step, in which nobody else has a turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sidecar.budget import alerts
from sidecar.budget.account import Account
from sidecar.budget.alerts import Alert
from sidecar.budget.hold import NOTHING, Bound, BudgetUnknown, Hold, OverBudget, Who, comes_to, most
from sidecar.budget.index import Entry, kept
from sidecar.budget.purse import WindowState, needs_price
from sidecar.budget.purses import Purses
from sidecar.budget.room import Demand, Lack, demands, fit
from sidecar.budget.settling import entries_of, spend, to_come
from sidecar.budget.status import Status
from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.core.control import Budget

EXPIRE_GRACE_S = 60.0
"""A call is settled when it ends, and ends at its deadline: a hold that is there so much later has been lost."""


def _to_nobody(alert: Alert) -> None:
    pass


class Budgets:
    """Loop-atomic: nothing in here waits."""

    def __init__(
        self, clock: Clock, told: Callable[[Alert], None] = _to_nobody, expire_grace_s: float = EXPIRE_GRACE_S
    ) -> None:
        """`told` hears of each alert in the moment in which it is due; it must not fail."""
        self._clock = clock
        self._told = told
        self._grace_s = expire_grace_s
        self._purses = Purses()
        self._index = self._purses.index
        self._open: dict[Hold, None] = {}
        self.clock_ns = 0
        """The latest time that was seen, UTC."""

    # What is in force and what it has spent. At a start: `restore` what the newest snapshot has, `charge` each record
    # finished since and `restore_alert` each alert, then `follow`.

    def follow(self, definitions: Mapping[str, Budget]) -> None:
        """These are in force from the next `reserve` on. What a new one has spent is unknown (see `begin_opening`),
        unless nothing was ever spent here."""
        given = self._purses.follow(definitions, self.now_ns())
        self._index = self._purses.index
        self._tell(given)

    def restore(self, states: Iterable[WindowState], *, complete: bool = False) -> None:
        """Windows as they stood. `complete`: there is nothing else, so that any other budget has spent nothing."""
        states = tuple(states)
        self.see(max((state.start_ns for state in states), default=0))
        self._purses.restore(states)
        self._index = self._purses.index
        self._purses.blank = complete

    def restore_alert(self, budget_id: str, start_ns: int, threshold: str, at_ns: int) -> None:
        """It was given in that window: which may have begun after the snapshot."""
        self.see(at_ns)
        self._purses.restore_alert(budget_id, start_ns, threshold, at_ns)

    def see(self, at_ns: int) -> None:
        """It has been that late: time does not go back behind it."""
        self.clock_ns = max(self.clock_ns, at_ns)

    def now_ns(self) -> int:
        """UTC; never before what it has been, however the wall clock is set."""
        self.see(self._clock.wall_ns())
        return self.clock_ns

    def stamp(self, started_ns: int) -> int:
        """`budget_ns` of a record for which nothing is held; 0: that it started then says it."""
        return self.clock_ns if self.clock_ns > started_ns else 0

    def windows(self) -> list[WindowState]:
        """The running window of each budget of which it is known, as it stands: `restore` takes them back."""
        return self._purses.windows()

    @property
    def size_bytes(self) -> int:
        """No less than `windows` take as protobuf."""
        return self._purses.size_bytes

    def unknown(self) -> tuple[str, ...]:
        """Ids of the budgets of which nobody knows yet what they have spent in the running window."""
        return self._purses.unknown()

    def begin_opening(self, budget_id: str) -> WindowState | None:
        """The running window of an unknown budget, amounts 0: what it has spent is to be found out, as of this moment.

        What is settled from now on is counted here, and added to what `open_window` brings. May be begun again.
        None: the budget is known, or gone.
        """
        return self._purses.begin_opening(budget_id)

    def open_window(self, budget_id: str, state: WindowState) -> WindowState | None:
        """`state`: what `begin_opening` gave, with the amounts spent by then. Gives the window as it stands now, for
        the journal. None: it is known by now, turned meanwhile, or gone."""
        opened = self._purses.open_window(budget_id, state, self.now_ns())
        if opened is None:
            return None
        now, given = opened
        self._tell(given)
        return now

    def status(self, budget_id: str) -> Status | None:
        """None: there is no such budget."""
        return self._purses.status(budget_id, self.now_ns())

    def statuses(self, workspace: str | None = None) -> list[Status]:
        """Of the budgets of one workspace, or of all: which takes 7 µs each."""
        return self._purses.statuses(self.now_ns(), workspace)

    # The call path

    def watches(self, who: Who, key_ids: Sequence[str] | None = None) -> bool:
        """Whether any budget concerns such a call, or one of these keys. None: any key that it may come to use."""
        return self._index.watches(who, key_ids)

    def needs_price(self, who: Who, key_id: str = "") -> bool:
        """Whether a model without a known price is out: a limit in USD applies that could not hold it."""
        index = self._index
        return any(purse.needs_price for purse in (*index.of(who), *index.key(who.workspace, key_id)))

    def reserve(
        self, who: Who, bounds: Sequence[Bound], deadline_s: float, *, shrinkable: bool = True, call_id: str = ""
    ) -> Hold:
        """Holds the dearest of the bounds in each budget of the call. To be settled, however the call ends.

        `deadline_s`: monotonic. `shrinkable`: less output can be asked for (`Hold.max_output`). Raises OverBudget, and
        BudgetUnknown while a budget is being opened.
        """
        index = None if self._index.empty else self._index.workspace(who.workspace)
        if index is None:
            return NOTHING
        self.clock_ns = now_ns = max(self._clock.wall_ns(), self.clock_ns)
        accounts: list[Account] = []
        for purse in index.of(who.alias, who.caller):
            account = purse.current
            if now_ns >= account.until_ns:
                account = purse.at(now_ns) or account
            if account.closed:
                raise BudgetUnknown(purse.budget)
            accounts.append(account)
        asked, cut = most(bounds), None
        picodollars, tokens, priced = asked
        if not priced:
            _need_prices(accounts)
        for account in accounts:
            if picodollars > account.free_picodollars or tokens > account.free_tokens or account.free_requests < 1:
                wanted = [Demand(each, picodollars, tokens, 1) for each in accounts]
                cut = self._fitted(fit(wanted, bounds, asked, shrinkable), call_id)
                picodollars, tokens, _ = most(bounds, cut)
                break
        for account in accounts:
            account.free_picodollars -= picodollars
            account.free_tokens -= tokens
            account.free_requests -= 1
        hold = Hold(
            self, index, who.workspace, accounts, picodollars, tokens, now_ns, cut, deadline_s, shrinkable, call_id
        )
        self._open[hold] = None
        return hold

    def attempt(
        self, hold: Hold, key_id: str, bound: Bound, spent_picodollars: int, spent_tokens: int
    ) -> OverBudget | None:
        """See `Hold.attempt`."""
        if hold not in self._open:  # expired, so that its call is over: nothing may be held that nobody gives back
            return None
        if hold.latest or spent_picodollars or spent_tokens:
            hold.attempt_ended(spent_picodollars, spent_tokens)
        keys = kept(self._index.key(hold.workspace, key_id), hold.budget_ns)
        cut = hold.cut
        picodollars, tokens, fits = comes_to(bound, cut)
        for account in keys:
            if account.closed:
                raise BudgetUnknown(account.budget)
            if picodollars > account.free_picodollars or tokens > account.free_tokens or account.free_requests < 1:
                fits = False
        if not fits or spent_picodollars + picodollars > hold.picodollars or spent_tokens + tokens > hold.tokens:
            try:
                cut, picodollars, tokens = self._squeezed(hold, keys, bound)
            except OverBudget as over:
                return over
        hold.begin(keys, picodollars, tokens)
        hold.max_output = cut
        return None

    def noted(self, hold: Hold | None, record: CallRecord) -> CallRecord:
        """The record with the alerts that it will call for once it is settled. Nothing is counted yet."""
        told = None if self._index.empty else to_come(entries_of(self._index, hold, record))
        return replace(record, budget_alerts=(*record.budget_alerts, *told)) if told else record

    def settle(self, hold: Hold | None, record: CallRecord) -> tuple[Alert, ...]:
        """What was held becomes what the record counts for; gives the alerts that it calls for. Again does nothing."""
        if hold is None or hold.room is None:
            return self.charge(record)
        if hold.settled:
            return ()
        given = self._spend(entries_of(self._index, hold, record), record)
        hold.settled = True
        if hold in self._open:
            del self._open[hold]
            hold.give_back()
        return given

    def charge(self, record: CallRecord, inside: Collection[str] = ()) -> tuple[Alert, ...]:
        """Counts a record for which nothing is held. `inside`: budgets that have it in what they have spent already."""
        at_ns = record.budget_ns or record.started_ns
        if at_ns > self.clock_ns and record.attempts:
            self.clock_ns = at_ns
        entries = () if self._index.empty else self._index.entries(record, at_ns)
        if inside:
            entries = [entry for entry in entries if entry[0].budget.budget_id not in inside]
        return self._spend(entries, record)

    def expire(self) -> int:
        """Gives back what is held for calls that should have been settled long ago; how many there were."""
        before_s = self._clock.monotonic_s() - self._grace_s
        lost = [hold for hold in self._open if hold.deadline_s < before_s]
        for hold in lost:
            del self._open[hold]
            hold.give_back()
        return len(lost)

    def _spend(self, entries: Sequence[Entry], record: CallRecord) -> tuple[Alert, ...]:
        if record.attempts:
            self._purses.blank = False
        passing = spend(entries) if entries else None
        if not passing:
            return ()
        now_ns = self.now_ns()
        given = tuple(alert for account in passing for alert in alerts.due(account, now_ns, record.call_id))
        self._tell(given)
        return given

    def _squeezed(self, hold: Hold, keys: Sequence[Account], bound: Bound) -> tuple[int | None, int, int]:
        """Makes room for an attempt for which there is none as it is: cut, picodollars, tokens. Raises OverBudget."""
        bounds, cut = (bound,), hold.cut
        picodollars, tokens, priced = asked = most(bounds, cut)
        if not priced:
            _need_prices([*hold.accounts, *keys])
        less = self._fitted(fit(demands(hold, keys, asked), bounds, asked, hold.shrinkable), hold.call_id)
        if less is not None:
            cut, (picodollars, tokens, _) = less, most(bounds, less)
        hold.grow(*hold.lacks(picodollars, tokens))
        return cut, picodollars, tokens

    def _fitted(self, found: int | Lack | None, call_id: str) -> int | None:
        """To how much output an answer is cut; None: it is not. Raises OverBudget."""
        if not isinstance(found, Lack):
            return found
        account, measure, wanted = found
        account.refused += 1
        given = alerts.refused(account, measure, self.now_ns(), call_id)
        self._tell(given)
        raise OverBudget(account, measure, wanted, given)

    def _tell(self, given: Iterable[Alert]) -> None:
        for alert in given:
            self._told(alert)


def _need_prices(accounts: Iterable[Account]) -> None:
    """Raises OverBudget if one of them only takes what has a price."""
    for account in accounts:
        if needs_price(account.budget):
            raise OverBudget(account, 0, 0, unpriced=True)

"""Reserve before a call, settle after it: check and hold are one step, in which nobody else has a turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sidecar.budget import alerts
from sidecar.budget.account import Account
from sidecar.budget.alerts import Alert
from sidecar.budget.charges import Amounts, counted_at_ns
from sidecar.budget.hold import NOTHING, Bound, BudgetUnknown, Hold, OverBudget, Who, most
from sidecar.budget.index import Entry, kept
from sidecar.budget.purse import WindowState, needs_price
from sidecar.budget.purses import Purses
from sidecar.budget.room import Demand, Lack, fit
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
        self._open: dict[Hold, None] = {}
        self.clock_ns = 0
        """The latest time that was seen, UTC."""

    # What is in force and what it has spent. At a start: `restore` what the newest snapshot has, `charge` each record
    # finished since and `restore_alert` each alert, then `follow`.

    def follow(self, definitions: Mapping[str, Budget]) -> None:
        """These are in force from the next `reserve` on. What a new one has spent is unknown (see `begin_opening`),
        unless nothing was ever spent here."""
        self._tell(self._purses.follow(definitions, self.now_ns()))

    def restore(self, states: Iterable[WindowState], *, complete: bool = False) -> None:
        """Windows as they stood. `complete`: there is nothing else, so that any other budget has spent nothing."""
        self._purses.restore(states)
        self._purses.blank = complete

    def restore_alert(self, budget_id: str, start_ns: int, threshold: str, at_ns: int) -> None:
        """It was given in that window: which may have begun after the snapshot."""
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

    def statuses(self) -> list[Status]:
        return self._purses.statuses(self.now_ns())

    # The call path

    def watches(self, who: Who, key_ids: Sequence[str] | None = None) -> bool:
        """Whether any budget concerns such a call, or one of these keys. None: any key that it may come to use."""
        return self._purses.index.watches(who, key_ids)

    def needs_price(self, who: Who, key_id: str = "") -> bool:
        """Whether a model without a known price is out: a limit in USD applies that could not hold it."""
        index = self._purses.index
        return any(purse.needs_price for purse in (*index.of(who), *index.key(who.workspace, key_id)))

    def reserve(
        self, who: Who, bounds: Sequence[Bound], deadline_s: float, *, shrinkable: bool = True, call_id: str = ""
    ) -> Hold:
        """Holds the dearest of the bounds in each budget of the call. To be settled, however the call ends.

        `deadline_s`: monotonic. `shrinkable`: less output can be asked for (`Hold.max_output`). Raises OverBudget, and
        BudgetUnknown while a budget is being opened.
        """
        index = self._purses.index.workspace(who.workspace)
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
                demands = [Demand(each, picodollars, tokens, 1) for each in accounts]
                cut = self._fitted(fit(demands, bounds, asked, shrinkable=shrinkable), call_id)
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
        hold.attempt_ended(spent_picodollars, spent_tokens)
        keys = kept(self._purses.index.key(hold.workspace, key_id), hold.budget_ns)
        for account in keys:
            if account.closed:
                raise BudgetUnknown(account.budget)
        bounds, cut = (bound,), hold.cut
        asked = most(bounds, cut)
        try:
            if not asked.priced:
                _need_prices([*hold.accounts, *keys])
            more_picodollars, more_tokens = hold.lacks(asked)
            if keys or more_picodollars or more_tokens:
                demands = [Demand(each, more_picodollars, more_tokens, 0) for each in hold.accounts]
                demands += [Demand(each, asked.picodollars, asked.tokens, 1) for each in keys]
                less = self._fitted(fit(demands, bounds, asked, shrinkable=hold.shrinkable), hold.call_id)
                if less is not None:
                    cut, asked = less, most(bounds, less)
                hold.begin(keys, asked)
        except OverBudget as over:
            return over
        hold.max_output = cut
        return None

    def noted(self, hold: Hold | None, record: CallRecord) -> CallRecord:
        """The record with the alerts that it will call for once it is settled. Nothing is counted yet."""
        told = [
            f"{account.budget.budget_id} {threshold}"
            for account, *amounts in self._entries(hold, record)
            if account.passes(*amounts)
            for threshold, _ in alerts.passing(account, Amounts(*map(sum, zip(account.spent, amounts, strict=True))))
        ]
        return replace(record, budget_alerts=(*record.budget_alerts, *told)) if told else record

    def settle(self, hold: Hold | None, record: CallRecord) -> tuple[Alert, ...]:
        """What was held becomes what the record counts for; gives the alerts that it calls for. Again does nothing."""
        if hold is not None and hold.settled:
            return ()
        given = self._spend(self._entries(hold, record), record)
        if hold is not None and hold.room is not None:
            hold.settled = True
            if hold in self._open:
                del self._open[hold]
                hold.give_back()
        return given

    def charge(self, record: CallRecord, inside: Collection[str] = ()) -> tuple[Alert, ...]:
        """Counts a record for which nothing is held. `inside`: budgets that have it in what they have spent already."""
        entries = self._entries(None, record)
        return self._spend([entry for entry in entries if entry[0].budget.budget_id not in inside], record)

    def expire(self) -> int:
        """Gives back what is held for calls that should have been settled long ago; how many there were."""
        before_s = self._clock.monotonic_s() - self._grace_s
        lost = [hold for hold in self._open if hold.deadline_s < before_s]
        for hold in lost:
            del self._open[hold]
            hold.give_back()
        return len(lost)

    def _entries(self, hold: Hold | None, record: CallRecord) -> list[Entry]:
        """The noted ones of a hold are not looked for again."""
        if hold is None or hold.room is None:
            return self._purses.index.entries(record, counted_at_ns(record), None)
        if hold.entries is None:
            at_ns, index = counted_at_ns(record), self._purses.index
            same = at_ns == hold.budget_ns and index.workspace(record.workspace) is hold.index
            hold.entries = index.entries(record, at_ns, hold.accounts if same else None)
        return hold.entries

    def _spend(self, entries: Sequence[Entry], record: CallRecord) -> tuple[Alert, ...]:
        if record.attempts:
            self._purses.blank = False
            self.see(counted_at_ns(record))
        given: tuple[Alert, ...] = ()
        for account, *amounts in entries:
            passes = account.passes(*amounts)
            account.spend(*amounts)
            if passes:
                given += alerts.due(account, self.now_ns(), record.call_id)
        self._tell(given)
        return given

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

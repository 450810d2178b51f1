"""What a call may come to, what is held for it, and how it is told that there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sidecar.budget.account import UNITS, Account, limits_of
from sidecar.budget.alerts import Alert
from sidecar.core.control import Budget, BudgetScope
from sidecar.core.money import MILLION


class Bound(NamedTuple):
    """The most that one attempt can come to."""

    input_picodollars: int | None
    """Input and request fee; None: no price is known."""
    output_price: int
    """Picodollars per million output tokens."""
    input_tokens: int
    output_tokens: int
    """Of one choice."""
    choices: int = 1


class Who(NamedTuple):
    """What a call counts for; the alias is empty where it names none."""

    workspace: str
    alias: str
    caller: str


class OverBudget(Exception):
    """A budget has no room. Amounts are picodollars or counts."""

    def __init__(
        self, account: Account, measure: int, wanted: int, alerts: tuple[Alert, ...] = (), *, unpriced: bool = False
    ) -> None:
        budget = account.budget
        super().__init__(f"{budget.scope.value} budget {budget.name!r}")
        self.budget: Budget = budget
        self.start_ns = account.start_ns
        self.end_ns = account.end_ns
        """0: never."""
        self.unit = UNITS[measure]
        self.limit = limits_of(budget)[measure] or 0
        self.spent = account.spent[measure]
        self.held = account.held[measure]
        """By other calls, and by this one so far."""
        self.wanted = wanted
        self.alerts = alerts
        """Given by this refusal."""
        self.unpriced = unpriced
        """It is for want of a price that the call cannot be held against the limit."""

    @property
    def scope(self) -> BudgetScope:
        """KEY: another key may go; else the call ends."""
        return self.budget.scope


class BudgetUnknown(Exception):
    """What a budget has spent in its running window is still being found out: nothing passes until then."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(f"{budget.scope.value} budget {budget.name!r} is being opened")
        self.budget = budget


Most = tuple[int, int, bool]
"""What the dearest of some bounds comes to: picodollars, tokens, and whether each of them has a price."""


def most(bounds: Sequence[Bound], cut: int | None = None) -> Most:
    """`cut`: no choice has more output tokens than this. Measure by measure, the dearest counts."""
    dearest = longest = 0
    all_priced = True
    for bound in bounds:  # no max() over generators: twice as fast
        picodollars, tokens, priced = comes_to(bound, cut)
        dearest = max(dearest, picodollars)
        longest = max(longest, tokens)
        all_priced = all_priced and priced
    return dearest, longest, all_priced


def comes_to(bound: Bound, cut: int | None = None) -> Most:
    """A token costs whole picodollars here, rounded up: so no rounding of a cost, however it is split into meters,
    exceeds it."""
    picodollars, output_price, input_tokens, output, choices = bound
    if cut is not None and output > cut:
        output = cut
    output *= choices
    if picodollars is None:
        return 0, input_tokens + output, False
    return picodollars + -(-output_price // MILLION) * output, input_tokens + output, True


class Part:
    """Held of one key's budget for one attempt."""

    __slots__ = ("account", "picodollars", "tokens")

    def __init__(self, account: Account, picodollars: int, tokens: int) -> None:
        self.account = account
        self.picodollars = picodollars
        self.tokens = tokens

    def becomes(self, picodollars: int, tokens: int) -> None:
        """The attempt is over, and this is what it came to."""
        self.account.hold(picodollars - self.picodollars, tokens - self.tokens, 0)
        self.picodollars, self.tokens = picodollars, tokens


class Attempts(Protocol):
    """`Budgets`, as far as a hold needs it."""

    def attempt(
        self, hold: Hold, key_id: str, bound: Bound, spent_picodollars: int, spent_tokens: int
    ) -> OverBudget | None: ...


class Hold:
    """What is held for one call until it is settled. Made by `Budgets.reserve`."""

    __slots__ = (
        *("accounts", "budget_ns", "call_id", "cut", "deadline_s", "entries", "index", "latest", "max_output", "parts"),
        *("picodollars", "room", "settled", "shrinkable", "spent_picodollars", "spent_tokens", "tokens", "workspace"),
    )

    def __init__(  # noqa: PLR0917  # by place: made once a call
        self,
        room: Attempts | None = None,
        index: object = None,
        workspace: str = "",
        accounts: Sequence[Account] = (),
        picodollars: int = 0,
        tokens: int = 0,
        budget_ns: int = 0,
        cut: int | None = None,
        deadline_s: float = 0.0,
        shrinkable: bool = False,
        call_id: str = "",
    ) -> None:
        self.room = room
        """None: nothing is held, of nothing."""
        self.index = index
        """The budgets of the workspace, as they were found."""
        self.workspace = workspace
        self.accounts = accounts
        """Each of them holds the same: `picodollars`, `tokens` and one request."""
        self.picodollars = picodollars
        self.tokens = tokens
        self.budget_ns = budget_ns
        """The record's: by which windows the call counts. 0: by when it started."""
        self.cut = cut
        self.max_output = cut
        """Budgets have room for this many output tokens a choice; None: for all that was asked. Read it after each
        `attempt`, which may change it; the record's `max_tokens_granted`."""
        self.deadline_s = deadline_s
        self.shrinkable = shrinkable
        self.call_id = call_id
        self.parts: Sequence[Part] = ()
        self.latest: Sequence[Part] = ()
        """Those of the attempt under way."""
        self.spent_picodollars = self.spent_tokens = 0
        """By the attempts before that one."""
        self.entries: Sequence[Any] | None = None
        """Where its record counts, once it was noted."""
        self.settled = False

    def attempt(
        self, key_id: str, bound: Bound, spent_picodollars: int = 0, spent_tokens: int = 0
    ) -> OverBudget | None:
        """Before each attempt: holds it against the key's budgets, and has the call's hold cover what earlier attempts
        have spent (what they put at risk included) and this one. None: it may go, with at most `max_output`.

        Whether the call ends or another key may go says `OverBudget.scope`. Raises BudgetUnknown for a key's budget.
        """
        if self.room is None:
            return None
        return self.room.attempt(self, key_id, bound, spent_picodollars, spent_tokens)

    def attempt_ended(self, spent_picodollars: int, spent_tokens: int) -> None:
        """All attempts so far have spent this much: what was held of the last one's key becomes what it spent."""
        for part in self.latest:
            part.becomes(spent_picodollars - self.spent_picodollars, spent_tokens - self.spent_tokens)
        self.latest = ()
        self.spent_picodollars, self.spent_tokens = spent_picodollars, spent_tokens

    def attempt_withdrawn(self) -> None:
        """The attempt that was asked for last is not made after all: it takes no room of its key."""
        for part in self.latest:
            part.account.hold(-part.picodollars, -part.tokens, -1)
        self.parts = self.parts[: len(self.parts) - len(self.latest)]
        self.latest = ()

    def lacks(self, picodollars: int, tokens: int) -> tuple[int, int]:
        """By how much it does not cover one more attempt."""
        return (
            max(self.spent_picodollars + picodollars - self.picodollars, 0),
            max(self.spent_tokens + tokens - self.tokens, 0),
        )

    def grow(self, picodollars: int, tokens: int) -> None:
        for account in self.accounts:
            account.hold(picodollars, tokens, 0)
        self.picodollars += picodollars
        self.tokens += tokens

    def begin(self, keys: Sequence[Account], picodollars: int, tokens: int) -> None:
        """An attempt, held against the budgets of its key."""
        for account in keys:
            account.free_picodollars -= picodollars
            account.free_tokens -= tokens
            account.free_requests -= 1
        self.latest = [Part(account, picodollars, tokens) for account in keys]
        self.parts = [*self.parts, *self.latest] if self.parts else self.latest

    def give_back(self) -> None:
        """All of it."""
        picodollars, tokens = self.picodollars, self.tokens
        for account in self.accounts:
            account.free_picodollars += picodollars
            account.free_tokens += tokens
            account.free_requests += 1
        for part in self.parts:
            part.account.hold(-part.picodollars, -part.tokens, -1)
        self.parts = self.latest = ()


NOTHING = Hold()
"""Of every call that no budget concerns."""

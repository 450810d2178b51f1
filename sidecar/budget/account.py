"""One window of one budget: what is spent, what is held, and what is free. Arithmetic only.

For each measure `limit = spent + held + free`, where a measure that refuses nothing has the limit NO_LIMIT. So whether
a call fits is one comparison a measure, and `held` needs no counter of its own.
"""

from __future__ import annotations

from sidecar.budget.charges import Amounts
from sidecar.core.control import Budget

NO_LIMIT = 1 << 80
"""More than is ever spent."""
UNITS = ("usd", "tokens", "requests")


def limits_of(budget: Budget) -> tuple[int | None, int | None, int | None]:
    """By measure, in the order of UNITS; None: not limited."""
    return budget.limit_picodollars, budget.limit_tokens, budget.limit_requests


class Account:
    """The call path reads and writes its numbers directly."""

    __slots__ = (
        *("budget", "start_ns", "until_ns", "known", "closed", "at_risk", "refused", "refusing"),
        *("spent_picodollars", "spent_tokens", "spent_requests"),
        *("free_picodollars", "free_tokens", "free_requests"),
        *("alert_picodollars", "alert_tokens", "alert_requests"),
        *("soft_alert_ns", "hard_alert_ns", "_caps"),
    )

    def __init__(self, budget: Budget, start_ns: int, end_ns: int, *, known: bool) -> None:
        """`known`: nothing was spent in it so far; else that is to be found out first (`opened`)."""
        self.start_ns = start_ns
        self.until_ns = end_ns or NO_LIMIT
        self.known = known
        self.refused = 0
        """Calls."""
        self.spent_picodollars = self.spent_tokens = self.spent_requests = 0
        self.free_picodollars = self.free_tokens = self.free_requests = NO_LIMIT
        self._caps = (NO_LIMIT, NO_LIMIT, NO_LIMIT)
        self.soft_alert_ns = self.hard_alert_ns = 0
        self.redefine(budget)

    def redefine(self, budget: Budget) -> None:
        """Its limits from now on; what is spent and held stays."""
        held, self.budget = self.held, budget
        self.at_risk = budget.count_at_risk
        self.refusing = False
        """It has refused a call under these limits."""
        limits = (None, None, None) if budget.soft_only else limits_of(budget)
        usd, tokens, requests = (NO_LIMIT if limit is None else limit for limit in limits)
        self._caps = usd, tokens, requests
        self.free_picodollars = usd - self.spent_picodollars - held.picodollars
        self.free_tokens = tokens - self.spent_tokens - held.tokens
        self.free_requests = requests - self.spent_requests - held.requests
        self.watch()

    def watch(self) -> None:
        """Sets from how much spent on an alert may be due, and whether calls can be admitted at all."""
        self.closed = not self.known and not self.budget.soft_only
        usd, tokens, requests = (self._threshold(limit) for limit in limits_of(self.budget))
        self.alert_picodollars, self.alert_tokens, self.alert_requests = usd, tokens, requests

    def _threshold(self, limit: int | None) -> int:
        if limit is None or not self.known or (self.soft_alert_ns and self.hard_alert_ns):
            return NO_LIMIT
        return hard_threshold(limit) if self.soft_alert_ns else soft_threshold(limit, self.budget.soft_percent)

    @property
    def end_ns(self) -> int:
        """0: never."""
        return 0 if self.until_ns == NO_LIMIT else self.until_ns

    @property
    def spent(self) -> Amounts:
        return Amounts(self.spent_picodollars, self.spent_tokens, self.spent_requests)

    @property
    def held(self) -> Amounts:
        usd, tokens, requests = self._caps
        return Amounts(
            usd - self.spent_picodollars - self.free_picodollars,
            tokens - self.spent_tokens - self.free_tokens,
            requests - self.spent_requests - self.free_requests,
        )

    def spend(self, amounts: tuple[int, int, int]) -> None:
        picodollars, tokens, requests = amounts
        self.spent_picodollars += picodollars
        self.spent_tokens += tokens
        self.spent_requests += requests
        self.hold(picodollars, tokens, requests)

    def hold(self, picodollars: int, tokens: int, requests: int) -> None:
        """Negative: gives back."""
        self.free_picodollars -= picodollars
        self.free_tokens -= tokens
        self.free_requests -= requests

    def lacking(self, picodollars: int, tokens: int, requests: int) -> int | None:
        """The first measure that has no room for so much more, as a place in UNITS."""
        if picodollars > self.free_picodollars:
            return 0
        if tokens > self.free_tokens:
            return 1
        return 2 if requests > self.free_requests else None

    def count_anew(self) -> None:
        """What it has spent is not known any more; what is spent from now on is added to what is found out."""
        usd, tokens, requests = self.spent
        self.spend((-usd, -tokens, -requests))
        self.known = False
        self.watch()

    def opened(self, spent: Amounts) -> None:
        """What was spent before the counting began."""
        self.spend(spent)
        self.known = True
        self.watch()


def soft_threshold(limit: int, percent: int) -> int:
    """At a limit of 0 nothing is spent yet: at least 1."""
    return max(-(-limit * min(percent, 100) // 100), 1)


def hard_threshold(limit: int) -> int:
    return max(limit, 1)

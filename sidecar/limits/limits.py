"""Leave to send: what an account's configured limits, and those its provider tells of, have room for.

Configured limits hold for the account and are kept. What was learned holds for the one target whose answers told it,
and is a hint: others may use the same limit, and tokens are estimated. So it moves calls to other targets or lets them
wait; where nothing else is left, the provider itself is asked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sidecar.core.call import Target
from sidecar.core.catalog import Account, Allowance, Catalog, owned
from sidecar.core.clock import Clock
from sidecar.core.faults import FallbackReason
from sidecar.limits.bucket import REQUESTS, TOKENS, Bucket, Need, charge, lacking
from sidecar.limits.use import MINUTE_S, Permit, Use

MAX_TARGETS = 1024
"""Direct calls may name any model: of more than this, the one told of longest ago is forgotten."""
SHORTEST_S, LONGEST_S = 0.1, 31 * 86400.0
"""A provider may tell of any window; one outside these is taken for the nearer of them."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a request does not fit now."""

    detail: str
    """For people: "3 of 3 requests in flight"."""
    wait_s: float
    """0: until a request in flight ends, whenever that is."""
    firm: bool = True
    """False: a hint. The target is tried where nothing else is left."""
    reason: FallbackReason = FallbackReason.RATE_LIMITED


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit, and what is left of it."""

    limit: int
    window_s: float
    remaining: int
    """Below 0: owed."""
    full_at_ns: int
    """UTC."""
    learned: bool
    """By the provider's answers; else configured."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """One account as CatalogService shows it. None: no such limit is known."""

    provider: str
    in_flight: int
    max_concurrent: int | None
    requests: Rate | None
    tokens: Rate | None


class Limits:
    """Between two awaits of a caller nothing changes: what `blocked` says holds for the `take` that follows."""

    def __init__(self, clock: Clock, time_scale: float = 1.0) -> None:
        self._clock = clock
        self._scale = time_scale
        self._uses: dict[str, Use] = {}
        """By account: as many as the configuration and the workspaces in use have."""
        self._learned: dict[Target, dict[str, Bucket]] = {}

    def blocked(self, account: Account, target: Target, need: Need) -> Blocked | None:
        """Why a request to the target does not fit now; None: it does."""
        use = self._use(account)
        if use.full:
            return Blocked(f"{use.in_flight} of {use.limits.max_concurrent} requests in flight", 0.0)
        learned = self._learned.get(target)
        if not use.buckets and learned is None:
            return None
        if use.buckets and (found := lacking(use.buckets, need, self._clock)) is not None:
            held, wait_s = found
            return Blocked(f"its {use.buckets[held].capacity:g} {held} a minute are used up", wait_s)
        if learned is not None and (found := lacking(learned, need, self._clock)) is not None:
            held, wait_s = found
            left = max(int(learned[held].level(self._clock.monotonic_s())), 0)
            return Blocked(f"{left} of {learned[held].capacity:g} {held} left there", wait_s, firm=False)
        return None

    def take(self, account: Account, target: Target, need: Need) -> Permit:
        """A permit, whether the request fits now or has to wait for its `wait_s`. Not for an account that is full."""
        use = self._use(account)
        use.in_flight += 1
        return self._permit(use, target, need)

    async def place(
        self, among: Sequence[tuple[Account, Target]], need: Need, within_s: float
    ) -> tuple[int, Permit] | None:
        """Waits until one of these accounts, all full, has a place in flight: which, and a permit for it.

        None: none had one in time. Those who wait for an account are served in the order in which they came.
        """
        uses = [self._use(account) for account, _ in among]
        freed: asyncio.Future[Use] = asyncio.get_running_loop().create_future()
        for use in uses:
            use.waiting[freed] = None
        try:
            async with asyncio.timeout(within_s):
                await freed
        except TimeoutError:
            pass  # in the same moment a place may have come
        except BaseException:
            if freed.done() and not freed.cancelled():
                freed.result().leave()
            raise
        finally:
            for use in uses:
                use.waiting.pop(freed, None)
        if freed.cancelled() or not freed.done():
            return None
        which = uses.index(freed.result())
        return which, self._permit(uses[which], among[which][1], need)

    def learn(self, target: Target, told: Iterable[Allowance]) -> None:
        """What the target's latest answer says of its limits; nothing, if it says nothing."""
        now = self._clock.monotonic_s()
        buckets = {each.unit: self._bucket(each, now) for each in told}
        if not buckets:
            return
        self._learned.pop(target, None)  # the latest stands last
        if len(self._learned) >= MAX_TARGETS:
            del self._learned[next(iter(self._learned))]
        self._learned[target] = buckets

    def follow(self, old: Catalog, new: Catalog, owner: str = "") -> None:
        """After a reload, or a change of the accounts that `owner` has. Calls with an older plan are held to the new
        limits too."""
        self._scale = new.time_scale
        now = self._clock.monotonic_s()
        before, theirs = owned(old, owner), owned(new, owner)
        for key, use in list(self._uses.items()):
            of, _, name = key.rpartition("/")
            if of != owner:
                continue
            if name in theirs:
                use.configure(theirs[name].limits, MINUTE_S * self._scale, now)
            elif not (use.in_flight or use.waiting):
                del self._uses[key]
        same = {name for name, _ in _doors(before).items() & _doors(theirs).items()}
        self._learned = {
            target: told for target, told in self._learned.items() if target.owner != owner or target.provider in same
        }

    def snapshot(self, accounts: Collection[Account]) -> tuple[AccountLimits, ...]:
        return tuple(self._shown(account) for account in accounts)

    def _permit(self, use: Use, target: Target, need: Need) -> Permit:
        learned = self._learned.get(target)
        if not use.buckets and learned is None:
            return Permit(use, 0, 0.0, self._clock)
        now = self._clock.monotonic_s()
        _, wait_s = lacking(use.buckets, need, self._clock) or ("", 0.0)
        if learned is not None:
            charge(learned, need, now)
        return Permit(use, charge(use.buckets, need, now), wait_s, self._clock)

    def _use(self, account: Account) -> Use:
        use = self._uses.get(account.name) if not account.owner else self._uses.get(_key(account))
        if use is None:
            use = self._uses[_key(account)] = Use()
            use.configure(account.limits, MINUTE_S * self._scale, self._clock.monotonic_s())
        return use

    def _bucket(self, told: Allowance, now: float) -> Bucket:
        """Refills as fast as its window and its reset say; without either, in a minute."""
        used = told.limit - told.remaining
        by_reset_s = told.limit * told.reset_s / used if told.reset_s and used else 0.0
        window_s = _within(told.window_s or by_reset_s or MINUTE_S)
        refills_s = min(window_s, _within(by_reset_s)) if by_reset_s else window_s
        return Bucket(told.limit, told.limit / refills_s / self._scale, now, told.remaining, window_s)

    def _shown(self, account: Account) -> AccountLimits:
        use = self._uses.get(_key(account))
        return AccountLimits(
            account.name,
            in_flight=use.in_flight if use is not None else 0,
            max_concurrent=account.limits.max_concurrent,
            requests=self._rate(account, REQUESTS),
            tokens=self._rate(account, TOKENS),
        )

    def _rate(self, account: Account, held: str) -> Rate | None:
        """The configured limit, else of the account's learned ones that with the smallest share left."""
        now = self._clock.monotonic_s()
        own = self._use(account).buckets.get(held)
        learned = [
            buckets[held]
            for target, buckets in self._learned.items()
            if target.provider == account.name and target.owner == account.owner and held in buckets
        ]
        bucket = own or min(learned, key=lambda each: each.level(now) / each.capacity, default=None)
        if bucket is None:
            return None
        full_at_ns = self._clock.wall_ns() + round(bucket.full_in_s(now) * 1e9)
        left = math.floor(bucket.level(now) + 1e-6)
        return Rate(int(bucket.capacity), round(bucket.window_s, 3), left, full_at_ns, own is None)


def _key(account: Account) -> str:
    """A workspace's own account has limits of its own."""
    return f"{account.owner}/{account.name}" if account.owner else account.name


def _within(window_s: float) -> float:
    return min(max(window_s, SHORTEST_S), LONGEST_S)


def _doors(accounts: Mapping[str, Account]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Account -> what its limits at the provider hang on."""
    held = accounts.items()
    return {name: (account.base_url, tuple(key.secret for key in account.keys)) for name, account in held}

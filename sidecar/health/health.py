"""The health of all targets and keys, as planning reads it, attempts write it and people see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sidecar.core.call import Target
from sidecar.core.catalog import Account, BreakerPolicy, Catalog, Key, owned
from sidecar.core.clock import Clock
from sidecar.core.faults import FallbackReason, Fault
from sidecar.health.breaker import Breaker, Circuit
from sidecar.health.keys import KeysAside
from sidecar.health.statistics import Statistics, TargetHealth, quantile

MAX_TARGETS = 1024
"""Direct calls may name any model: of more than this, the one unused longest is forgotten."""
MAX_COOLING_S = 3600.0


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a target is passed over, and for how long yet."""

    reason: FallbackReason
    detail: str
    wait_s: float
    firm: bool = True


@dataclass(slots=True)
class _State:
    breaker: Breaker
    statistics: Statistics = field(default_factory=Statistics)
    cool_until: float = 0.0
    """Monotonic seconds."""


class Health:
    """Every attempt is announced by `begin` and ended by exactly one of `succeeded`, `failed`, `released`."""

    def __init__(self, policy: BreakerPolicy, clock: Clock, time_scale: float = 1.0) -> None:
        self._policy = policy
        self._clock = clock
        self._scale = time_scale
        self._states: dict[Target, _State] = {}
        self._keys = KeysAside()
        self.changed: Callable[[], None] = lambda: None
        """Called when a circuit, a pause or a key has changed by an event; what time alone changes calls nobody."""

    def blocked(self, target: Target) -> Blocked | None:
        """Whether the target should be passed over now; None: it may be tried."""
        state = self._states.get(target)
        if state is None:
            return None
        now = self._clock.monotonic_s()
        if state.cool_until > now:
            wait_s = state.cool_until - now
            return Blocked(FallbackReason.RATE_LIMITED, f"rate limited until {self._time(wait_s)}", wait_s)
        if state.breaker.circuit(now) is not Circuit.OPEN:
            return None
        wait_s = max(state.breaker.probe_at - now, 0.0)
        detail = f"circuit open until {self._time(wait_s)}" if wait_s else "circuit open, being probed"
        return Blocked(FallbackReason.CIRCUIT_OPEN, detail, wait_s)

    def circuit(self, target: Target) -> Circuit:
        state = self._states.get(target)
        return Circuit.CLOSED if state is None else state.breaker.circuit(self._clock.monotonic_s())

    def key_aside(self, key_id: str) -> bool:
        return key_id in self._keys and self._keys.aside(key_id, self._clock.monotonic_s())

    def typical_s(self, target: Target, streamed: bool) -> float | None:
        """Median of what a caller waits for: the first token of a stream, else the answer."""
        state = self._states.get(target)
        if state is None:
            return None
        return quantile(state.statistics.first_tokens_s if streamed else state.statistics.durations_s, 0.5)

    def begin(self, target: Target) -> Circuit:
        """Announces an attempt. OPEN: it must not go, and is not to be ended. HALF_OPEN: it goes, as the probe."""
        state = self._state(target)
        circuit = state.breaker.begin(self._clock.monotonic_s())
        if circuit is not Circuit.OPEN:
            state.statistics.used(self._clock.wall_ns())
        return circuit

    def succeeded(self, target: Target, circuit: Circuit, duration_s: float, first_token_s: float | None) -> None:
        """A whole answer. `circuit` as `begin` gave it; `first_token_s` of a stream."""
        state = self._state(target)
        state.statistics.answered(duration_s, first_token_s)
        state.breaker.succeeded(circuit, self._clock.monotonic_s())
        if circuit is not Circuit.CLOSED:
            self.changed()

    def failed(self, target: Target, circuit: Circuit, fault: Fault) -> None:
        """A fault. Only countable ones move the breaker; a 429 that names its end cools the target until then."""
        state = self._state(target)
        now = self._clock.monotonic_s()
        state.statistics.failed(fault.error_type, self._clock.wall_ns())
        before = state.cool_until, state.breaker.circuit(now)
        if fault.reason is FallbackReason.RATE_LIMITED and fault.retry_after_s:
            state.cool_until = max(state.cool_until, now + min(fault.retry_after_s, MAX_COOLING_S) * self._scale)
        if fault.countable:
            state.breaker.failed(circuit, now)
        else:
            state.breaker.released(circuit)
        if before != (state.cool_until, state.breaker.circuit(now)):
            self.changed()

    def released(self, target: Target, circuit: Circuit) -> None:
        """The attempt ended without telling anything of the target (the caller hung up)."""
        self._state(target).breaker.released(circuit)

    def reject_key(self, key_id: str) -> None:
        """The provider refused this key: 401 or 403."""
        self._keys.reject(key_id, self._clock.monotonic_s(), self._scale)
        self.changed()

    def forget_key(self, key_id: str) -> None:
        """It is another secret now, or its provider has been asked about it on purpose, or it is no more."""
        self._keys.forget(key_id)
        self.changed()

    def answered_probe(self, provider: str, key_id: str, *, accepted: bool, owner: str = "") -> None:
        """A question that is no call was answered, and with `accepted` the key was taken. `owner`: of the account.

        That a list of models is there does not prove that completions work: an open circuit lets the next call try,
        no more. A key that was taken is aside no longer.
        """
        now = self._clock.monotonic_s()
        invited = [
            state.breaker.invite(now)
            for target, state in self._states.items()
            if (target.owner, target.provider) == (owner, provider)
        ]
        lifted = accepted and self._keys.accept(key_id, now)
        if lifted or any(invited):
            self.changed()

    def follow(self, old: Catalog, new: Catalog, owner: str = "") -> None:
        """After a reload, or a change of the accounts that `owner` has: statistics stay; what was learnt of an endpoint
        or key that is another one now does not."""
        self._policy, self._scale = new.breaker, new.time_scale
        theirs_before, theirs = owned(old, owner), owned(new, owner)
        for target, state in list(self._states.items()):
            if target.owner != owner:
                continue
            before, after = theirs_before.get(target.provider), theirs.get(target.provider)
            if after is None:
                del self._states[target]
                continue
            state.breaker.follow(self._policy, self._scale)
            if before is None or _door(before) != _door(after):
                state.breaker.close()
                state.cool_until = 0.0
        secrets = {key.key_id: key.secret for key in _keys(theirs_before.values())}
        for key in _keys(theirs.values()):
            if secrets.get(key.key_id) != key.secret:
                self._keys.forget(key.key_id)
        self.changed()

    def open_at(self) -> frozenset[tuple[str, str]]:
        """(owner, name) of accounts with an open circuit: calls are kept from a target of theirs just now."""
        now = self._clock.monotonic_s()
        states = self._states.items()
        return frozenset(
            (target.owner, target.provider) for target, state in states if state.breaker.circuit(now) is Circuit.OPEN
        )

    def targets(self) -> tuple[Target, ...]:
        """All that were used."""
        return tuple(self._states)

    def mark(self, target: Target) -> tuple[Circuit, float]:
        """What makes a target passed over: its circuit, and until when it cools (monotonic s; 0: it does not)."""
        state, now = self._states[target], self._clock.monotonic_s()
        return state.breaker.circuit(now), state.cool_until if state.cool_until > now else 0.0

    def snapshot(self) -> tuple[TargetHealth, ...]:
        """All targets that were used, as they stand now."""
        return tuple(self._shown(target, state) for target, state in self._states.items())

    def of(self, target: Target) -> TargetHealth | None:
        """One target as it stands now; None if it was never used."""
        state = self._states.get(target)
        return None if state is None else self._shown(target, state)

    def _shown(self, target: Target, state: _State) -> TargetHealth:
        now, wall_ns, statistics = self._clock.monotonic_s(), self._clock.wall_ns(), state.statistics

        def at(until: float) -> int | None:
            return wall_ns + round((until - now) * 1e9) if until > now else None

        circuit, blocked = state.breaker.circuit(now), self.blocked(target)
        return TargetHealth(
            target=target,
            circuit=circuit,
            requests=statistics.requests,
            errors=statistics.errors,
            success_rate=statistics.success_rate,
            mean_s=statistics.mean_s,
            p95_s=quantile(statistics.durations_s, 0.95),
            p50_first_token_s=quantile(statistics.first_tokens_s, 0.5),
            last_used_ns=statistics.last_used_ns,
            last_error_type=statistics.last_error_type,
            last_error_ns=statistics.last_error_ns,
            retry_at_ns=at(state.breaker.probe_at) if circuit is Circuit.OPEN else None,
            cooling_until_ns=at(state.cool_until),
            blocked=blocked.detail if blocked is not None else "",
        )

    def _state(self, target: Target) -> _State:
        state = self._states.get(target)
        if state is None:
            if len(self._states) >= MAX_TARGETS:
                del self._states[min(self._states, key=self._last_used_ns)]
            state = self._states[target] = _State(Breaker(self._policy, self._scale))
        return state

    def _last_used_ns(self, target: Target) -> int:
        return self._states[target].statistics.last_used_ns or 0

    def _time(self, in_s: float) -> str:
        at = datetime.fromtimestamp(self._clock.wall_ns() / 1e9 + in_s, UTC)
        return f"{at:%H:%M:%S}Z"


def _keys(accounts: Iterable[Account]) -> Iterable[Key]:
    return (key for account in accounts for key in account.keys)


def _door(account: Account) -> tuple[object, ...]:
    """Where an account is and how it is entered: what its circuit and pauses were learnt of."""
    return account.base_url, account.wire, tuple(key.secret for key in account.keys), account.options

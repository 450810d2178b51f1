"""The health of all targets and keys, as planning reads it, attempts write it and people see it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sidecar.core.call import Target
from sidecar.core.catalog import BreakerPolicy
from sidecar.core.clock import Clock
from sidecar.core.faults import FallbackReason, Fault
from sidecar.health.breaker import Breaker, Circuit

MAX_TARGETS = 1024
"""Direct calls may name any model: of more than this, the one unused longest is forgotten."""
KEY_ASIDE_S = 60.0
"""A rejected key is tried again after this: it may have been allowed meanwhile."""
MAX_COOLING_S = 3600.0
_SAMPLES = 256


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a target is passed over, and for how long yet."""

    reason: FallbackReason
    detail: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One target as CatalogService and State frames show it. Times are UTC ns; None = never, or not now."""

    target: Target
    circuit: Circuit
    requests: int
    errors: int
    success_rate: float | None
    """Of the attempts that ended in an answer or a fault."""
    mean_s: float | None
    """Mean and p95 of the latest whole answers."""
    p95_s: float | None
    p50_first_token_s: float | None
    last_used_ns: int | None
    last_error_type: str
    last_error_ns: int | None
    retry_at_ns: int | None
    """When an open circuit is probed next."""
    cooling_until_ns: int | None
    """Rate-limited until then."""


def _samples() -> deque[float]:
    return deque(maxlen=_SAMPLES)


@dataclass(slots=True)
class _State:
    breaker: Breaker
    requests: int = 0
    answers: int = 0
    errors: int = 0
    durations_s: deque[float] = field(default_factory=_samples)
    first_tokens_s: deque[float] = field(default_factory=_samples)
    cool_until: float = 0.0
    """Monotonic seconds."""
    last_used_ns: int | None = None
    last_error_type: str = ""
    last_error_ns: int | None = None


class Health:
    """Every attempt is announced by `begin` and ended by exactly one of `succeeded`, `failed`, `released`."""

    def __init__(self, policy: BreakerPolicy, clock: Clock, time_scale: float = 1.0) -> None:
        self._policy = policy
        self._clock = clock
        self._scale = time_scale
        self._states: dict[Target, _State] = {}
        self._keys_aside: dict[str, float] = {}

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

    def key_aside(self, key_id: str) -> bool:
        until = self._keys_aside.get(key_id)
        return until is not None and until > self._clock.monotonic_s()

    def typical_s(self, target: Target, streamed: bool) -> float | None:
        """Median of what a caller waits for: the first token of a stream, else the answer."""
        state = self._states.get(target)
        return None if state is None else _quantile(state.first_tokens_s if streamed else state.durations_s, 0.5)

    def begin(self, target: Target) -> Circuit:
        """Announces an attempt. OPEN: it must not go, and is not to be ended. HALF_OPEN: it goes, as the probe."""
        state = self._state(target)
        circuit = state.breaker.begin(self._clock.monotonic_s())
        if circuit is not Circuit.OPEN:
            state.requests += 1
            state.last_used_ns = self._clock.wall_ns()
        return circuit

    def succeeded(self, target: Target, circuit: Circuit, duration_s: float, first_token_s: float | None) -> None:
        """A whole answer. `circuit` as `begin` gave it; `first_token_s` of a stream."""
        state = self._state(target)
        state.answers += 1
        state.durations_s.append(duration_s)
        if first_token_s is not None:
            state.first_tokens_s.append(first_token_s)
        state.breaker.succeeded(circuit, self._clock.monotonic_s())

    def failed(self, target: Target, circuit: Circuit, fault: Fault) -> None:
        """A fault. Only countable ones move the breaker; a 429 that names its end cools the target until then."""
        state = self._state(target)
        now = self._clock.monotonic_s()
        state.errors += 1
        state.last_error_type, state.last_error_ns = fault.error_type, self._clock.wall_ns()
        if fault.reason is FallbackReason.RATE_LIMITED and fault.retry_after_s:
            state.cool_until = max(state.cool_until, now + min(fault.retry_after_s, MAX_COOLING_S) * self._scale)
        if fault.countable:
            state.breaker.failed(circuit, now)
        else:
            state.breaker.released(circuit)

    def released(self, target: Target, circuit: Circuit) -> None:
        """The attempt ended without telling anything of the target (the caller hung up)."""
        self._state(target).breaker.released(circuit)

    def reject_key(self, key_id: str) -> None:
        """The provider refused this key: 401 or 403."""
        now = self._clock.monotonic_s()
        self._keys_aside = {key: until for key, until in self._keys_aside.items() if until > now}
        self._keys_aside[key_id] = now + KEY_ASIDE_S * self._scale

    def snapshot(self) -> tuple[TargetHealth, ...]:
        """All targets that were used, as they stand now."""
        now, wall_ns = self._clock.monotonic_s(), self._clock.wall_ns()

        def at(until: float) -> int | None:
            return wall_ns + round((until - now) * 1e9) if until > now else None

        return tuple(self._shown(target, state, now, at) for target, state in self._states.items())

    @staticmethod
    def _shown(target: Target, state: _State, now: float, at: Callable[[float], int | None]) -> TargetHealth:
        durations, ended = state.durations_s, state.answers + state.errors
        circuit = state.breaker.circuit(now)
        return TargetHealth(
            target=target,
            circuit=circuit,
            requests=state.requests,
            errors=state.errors,
            success_rate=state.answers / ended if ended else None,
            mean_s=sum(durations) / len(durations) if durations else None,
            p95_s=_quantile(durations, 0.95),
            p50_first_token_s=_quantile(state.first_tokens_s, 0.5),
            last_used_ns=state.last_used_ns,
            last_error_type=state.last_error_type,
            last_error_ns=state.last_error_ns,
            retry_at_ns=at(state.breaker.probe_at) if circuit is Circuit.OPEN else None,
            cooling_until_ns=at(state.cool_until),
        )

    def _state(self, target: Target) -> _State:
        state = self._states.get(target)
        if state is None:
            if len(self._states) >= MAX_TARGETS:
                del self._states[min(self._states, key=lambda known: self._states[known].last_used_ns or 0)]
            state = self._states[target] = _State(Breaker(self._policy, self._scale))
        return state

    def _time(self, in_s: float) -> str:
        at = datetime.fromtimestamp(self._clock.wall_ns() / 1e9 + in_s, UTC)
        return f"{at:%H:%M:%S}Z"


def _quantile(samples: Sequence[float] | deque[float], share: float) -> float | None:
    """Nearest rank."""
    if not samples:
        return None
    ranked = sorted(samples)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]

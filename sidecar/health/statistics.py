"""What attempts at one target came to: counts since the start, and the latest durations."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sidecar.core.call import Target
from sidecar.health.breaker import Circuit

_SAMPLES = 256


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
    blocked: str = ""
    """Why calls pass it over now, for people; empty if they do not."""


def _samples() -> deque[float]:
    return deque(maxlen=_SAMPLES)


@dataclass(slots=True)
class Statistics:
    requests: int = 0
    answers: int = 0
    errors: int = 0
    durations_s: deque[float] = field(default_factory=_samples)
    first_tokens_s: deque[float] = field(default_factory=_samples)
    last_used_ns: int | None = None
    last_error_type: str = ""
    last_error_ns: int | None = None

    def used(self, at_ns: int) -> None:
        self.requests += 1
        self.last_used_ns = at_ns

    def answered(self, duration_s: float, first_token_s: float | None) -> None:
        self.answers += 1
        self.durations_s.append(duration_s)
        if first_token_s is not None:
            self.first_tokens_s.append(first_token_s)

    def failed(self, error_type: str, at_ns: int) -> None:
        self.errors += 1
        self.last_error_type, self.last_error_ns = error_type, at_ns

    @property
    def success_rate(self) -> float | None:
        ended = self.answers + self.errors
        return self.answers / ended if ended else None

    @property
    def mean_s(self) -> float | None:
        return sum(self.durations_s) / len(self.durations_s) if self.durations_s else None


def quantile(samples: Sequence[float] | deque[float], share: float) -> float | None:
    """Nearest rank."""
    if not samples:
        return None
    ranked = sorted(samples)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]

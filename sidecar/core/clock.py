"""Time, passed in so that tests own it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `wall_ns` dates things (UTC, ns since the epoch), `monotonic_ns` measures them."""

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns

    def monotonic_s(self) -> float:
        return self.monotonic_ns() / 1e9

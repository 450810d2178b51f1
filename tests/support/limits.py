"""A clock to be moved by hand, and accounts with limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sidecar.core.call import Target
from sidecar.core.catalog import Account, RateLimits
from sidecar.core.clock import Clock
from tests.support.routes import account

TARGET = Target("a", "m")


@dataclass
class Hands:
    """Times in seconds."""

    now: float = 1000.0

    def clock(self) -> Clock:
        return Clock(wall_ns=lambda: round(self.now * 1e9), monotonic_ns=lambda: round(self.now * 1e9))


def limited(name: str = "a", **limits: Any) -> Account:
    return account(name, limits=RateLimits(**limits))


def need(tokens: int = 100) -> Any:
    return lambda: tokens

"""When providers that are out of service are asked whether they are back. Pure but for what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LONGEST = 30
"""Intervals between two questions to a provider that stays away and that no call is kept from."""
_JITTER = 0.2
Place = tuple[str, str]
"""Whoever is asked: owner and name of an account."""


@dataclass(slots=True)
class _Watched:
    since_s: float
    """Out of service, or asked last."""
    intervals: float
    """From then until it is due: of whatever length they are when it is looked."""
    failures: int = 0
    """In a row."""


class Recheck:
    """`now` and intervals in seconds; `random` gives numbers in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._watched: dict[Place, _Watched] = {}

    def due(self, troubled: Mapping[Place, bool], every_s: float, now: float) -> list[Place]:
        """Whom to ask now. `troubled`: who is out of service, and whether calls are kept from it at this moment.

        Who has just gone is asked an interval later. Where calls are kept from it, then every interval; else, since
        the next call tries anyway, ever more rarely.
        """
        self._watched = {name: self._watched.get(name) or _Watched(now, self._jittered(1)) for name in troubled}
        found = [name for name, each in self._watched.items() if each.since_s + each.intervals * every_s <= now]
        for name in found:
            watched = self._watched[name]
            times = 1 if troubled[name] else min(2**watched.failures, LONGEST)
            watched.since_s, watched.intervals = now, self._jittered(times)
        return found

    def answered(self, name: Place, *, ok: bool) -> None:
        if (watched := self._watched.get(name)) is not None:
            watched.failures = 0 if ok else watched.failures + 1

    def _jittered(self, intervals: int) -> float:
        return intervals * (1 + _JITTER * (self._random() - 0.5))

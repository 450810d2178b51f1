"""Answers that are still there to be given again: by key, for some minutes, up to so many bytes in all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sidecar.core.call import CallRecord
from sidecar.requests.past import Past

ANSWER_BYTES, RECORD_BYTES = 2048, 4096
"""What an answer is taken to weigh beside its parts, and a record: many small objects slow the collector down."""


class Ending(Protocol):
    """A call's last part, or its failure."""

    @property
    def size_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call went."""

    past: Past
    workspace: str
    size_bytes: int
    parts: tuple[bytes, ...] = ()
    ending: Ending | None = None
    """None if it was too large, or cut short."""
    record: CallRecord | None = None
    """Instead of the ending."""

    @property
    def digest(self) -> bytes:
        return self.past.digest

    @property
    def call_id(self) -> str:
        return self.past.call_id


class Answers:
    """Loop-atomic. Recordings of calls under way count too: they reserve what they need as they grow."""

    def __init__(self, most_bytes: int, keep_s: float, monotonic_s: Callable[[], float]) -> None:
        self.used_bytes = 0
        self.most_each_bytes = most_bytes // 4
        self._most_bytes = most_bytes
        self._keep_s = keep_s
        self._monotonic_s = monotonic_s
        self._held: OrderedDict[bytes, tuple[Answer, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, size_bytes: int) -> bool:
        """Makes room, at the expense of the oldest. False if there is none to be made."""
        if size_bytes > self._most_bytes:
            return False
        while self.used_bytes + size_bytes > self._most_bytes and self._held:
            self._drop(next(iter(self._held)))
        if self.used_bytes + size_bytes > self._most_bytes:
            return False
        self.used_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        self.used_bytes -= size_bytes

    def hold(self, key: bytes, answer: Answer) -> None:
        """For what was reserved: `answer.size_bytes`."""
        self._drop(key)
        self._held[key] = answer, self._monotonic_s() + self._keep_s

    def find(self, key: bytes) -> Answer | None:
        self.expire()
        found = self._held.get(key)
        return found[0] if found else None

    def let_go(self, workspace: str) -> None:
        """Everything of this workspace."""
        for key in [key for key, (answer, _) in self._held.items() if answer.workspace == workspace]:
            self._drop(key)

    def expire(self) -> float | None:
        """Drops what is too old. Gives the seconds until the next one is; None if nothing is held."""
        now_s = self._monotonic_s()
        while self._held:
            key, (_, until_s) = next(iter(self._held.items()))
            if until_s > now_s:
                return until_s - now_s
            self._drop(key)
        return None

    def _drop(self, key: bytes) -> None:
        if (gone := self._held.pop(key, None)) is not None:
            self.release(gone[0].size_bytes)

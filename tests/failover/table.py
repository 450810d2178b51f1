"""How a failover scenario is written down: what the primary does, and what comes of it in each mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.support.hostile import Act

SCALE = 0.03
"""Of every wait: a time-out of 10 s is one of 0.3 s."""
WORDS = 60
"""Of the primary's whole answer."""


class Mode(StrEnum):
    """How a call is asked."""

    UNARY = "unary"
    ERROR = "stream-error"
    RESTART = "stream-restart"
    BUFFER = "stream-buffer"

    @property
    def streamed(self) -> bool:
        return self is not Mode.UNARY

    @property
    def recovery(self) -> str:
        """As StreamRecovery names it; empty for a unary call."""
        return f"STREAM_RECOVERY_{self.value.partition('-')[2].upper()}" if self.streamed else ""


@dataclass(frozen=True)
class Cell:
    """What comes of a scenario in one mode. `tried`: one letter an attempt, `a` the primary, `b` the fallback."""

    tried: str
    refusal: str = ""
    """ErrorInfo's reason; empty: the caller gets a whole answer."""
    moved: str = ""
    """fallback_reason; empty: there was no fallback."""
    restarts: bool = False
    """A Restarted event comes in between."""
    waits_s: float = 0.0
    """What the table lets the call wait for, unscaled, back-offs apart."""

    @property
    def served_by(self) -> str:
        return "" if self.refusal else self.tried[-1]


def ok(tried: str, moved: str = "", *, restarts: bool = False, waits_s: float = 0.0) -> Cell:
    return Cell(tried, "", moved, restarts, waits_s)


def no(tried: str, refusal: str = "ALL_ATTEMPTS_FAILED", moved: str = "", *, waits_s: float = 0.0) -> Cell:
    return Cell(tried, refusal, moved, waits_s=waits_s)


Cells = Mapping[Mode, Cell]


def all_modes(cell: Cell) -> Cells:
    return dict.fromkeys(Mode, cell)


def unary_and_streams(unary: Cell, streams: Cell) -> Cells:
    return {mode: streams if mode.streamed else unary for mode in Mode}


def by_mode(unary: Cell, error: Cell, restart: Cell, buffer: Cell) -> Cells:
    return dict(zip(Mode, (unary, error, restart, buffer), strict=True))


@dataclass(frozen=True)
class Account:
    """Of the primary, as taximeter.toml describes it."""

    type: str = "openai"
    path: str = "/v1"
    """What its base URL ends in."""
    model: str = "gpt-4o"
    reports: str = "gpt-4o-2024-08-06"
    """The model that its answers name; empty if they name none."""
    setting: str = ""
    """A line of taximeter.toml."""
    free: bool = False
    """Its calls cost 0 by declaration."""


@dataclass(frozen=True)
class Scenario:
    """`a` and `b` are scripts: what each does at its first request, its second ..., and at all after the last."""

    name: str
    rescued: Cells
    """With the fallback behind."""
    alone: Cells = field(default_factory=dict)
    """Without; empty: not played."""
    a: Sequence[Act] = ()
    b: Sequence[Act] = ()
    """A good answer, if none is given."""
    at: str = ""
    """"dead" or "deaf": where `a` is, instead of where it answers."""
    account: Account = Account()
    models: tuple[str, str] = ("gpt-4o", "gpt-4o-mini")
    """Of `a` and `b`."""
    own_waits: frozenset[str] = frozenset()
    """Which waits run at `a` by the defaults (scaled); the others are too long to be met on a busy machine."""
    b_waits_too: bool = False
    classic: str = ""
    """As the issue names it, if it does."""

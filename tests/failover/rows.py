"""What the rows of the table are made of: good answers, and the usual courses of things."""

from __future__ import annotations

from typing import Any

from tests.failover.table import WORDS, Account, Scenario, all_modes, by_mode, no, ok
from tests.support import hostile as on
from tests.support.hostile import Act

USAGE = {"prompt_tokens": 1000, "completion_tokens": 60, "total_tokens": 1060}
WHOLE = " ".join(f"w{number}" for number in range(WORDS))
OTHER = "the fallback says something else"
MODEL, OTHER_MODEL = Account().reports, "gpt-4o-mini-2024-07-18"
GOOD = on.answer(WHOLE, usage=USAGE, model=MODEL)
FALLBACK = on.answer(OTHER, usage={"prompt_tokens": 1000, "completion_tokens": 5}, model=OTHER_MODEL)


def first_try(name: str, act: Act, **more: Any) -> Scenario:
    """Odd, and well."""
    return Scenario(name, a=(act,), rescued=all_modes(ok("a")), alone=all_modes(ok("a")), **more)


def second_try(name: str, *acts: Act, waits_s: float = 0.0, **more: Any) -> Scenario:
    cell = all_modes(ok("aa", waits_s=waits_s))
    return Scenario(name, a=acts, rescued=cell, alone=cell, **more)


def down(name: str, *acts: Act, moved: str = "PROVIDER_ERROR", **more: Any) -> Scenario:
    """Before any content, and for ever: the same target once more, then the next."""
    return Scenario(name, a=acts, rescued=all_modes(ok("aab", moved)), alone=all_modes(no("aa")), **more)


def next_target(name: str, moved: str, *acts: Act, alone: str = "a", **more: Any) -> Scenario:
    """Before any content: the next target at once."""
    return Scenario(name, a=acts, rescued=all_modes(ok("ab", moved)), alone=all_modes(no(alone)), **more)


def stops(name: str, refusal: str, act: Act, **more: Any) -> Scenario:
    """No other target is asked."""
    cell = all_modes(no("a", refusal))
    return Scenario(name, a=(act,), rescued=cell, alone=cell, **more)


def breaks(
    name: str,
    act: Act,
    *,
    alone: str = "a",
    moved: str = "STALL",
    unary_moved: str = "",
    again: bool = False,
    unary_s: float = 0.0,
    stream_s: float = 0.0,
    **more: Any,
) -> Scenario:
    """A stream that breaks off after its first words, and the unary answer that does the like.

    `alone`: who is tried where there is no fallback and no content has gone out. `again`: there, too, the same target
    is tried once more before the next.
    """
    tried = "aab" if again else "ab"
    broken = no("a", "STREAM_BROKEN", waits_s=stream_s)
    rescued = by_mode(
        ok(tried, unary_moved or moved, waits_s=unary_s),
        broken,
        ok("ab", moved, restarts=True, waits_s=stream_s),
        ok(tried, moved, waits_s=stream_s),
    )
    lost = by_mode(no(alone, waits_s=unary_s), broken, broken, no(alone, waits_s=stream_s))
    return Scenario(name, a=(act,), rescued=rescued, alone=lost, **more)

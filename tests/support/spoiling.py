"""JSON spoilt as a hostile or careless provider might: wrong types, missing fields, events twice or out of order."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.support.hostile_wires import DEEP

GONE = object()
"""In the place of a value: the field is not there."""
SPOILT: tuple[Any, ...] = (
    *(GONE, None, True, False, 0, 1, -1, 0.5, -2.5, 2**31, 2**53, 2**63, 2**64 - 1, 1e308),
    *("", "words", "0", [], [None], [[]], [{}], ["a", 1], {}, {"type": []}, {"a": None}, DEEP, [DEEP], {"a": DEEP}),
)

Path = tuple[Any, ...]


def paths(value: Any, so_far: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, itself excluded."""
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in places:
        yield (*so_far, key)
        yield from paths(inner, (*so_far, key))


def spoil(value: Any, path: Path, by: Any) -> Any:
    """A copy with something else in that place; unchanged if the place is no longer there."""
    found = copy.deepcopy(value)
    try:
        place = found
        for key in path[:-1]:
            place = place[key]
        if by is GONE:
            del place[path[-1]]
        else:
            place[path[-1]] = by
    except (KeyError, IndexError, TypeError):
        return value
    return found


@st.composite
def spoilt(draw: st.DrawFn, events: Sequence[Any], frozen: int = 0) -> list[Any]:
    """Events with a few things wrong at once. `frozen`: leading keys of each path that stay as they are."""
    told = list(copy.deepcopy(events))
    for _ in range(draw(st.integers(1, 4))):
        if not told:
            break
        at, other = draw(st.integers(0, len(told) - 1)), draw(st.integers(0, len(told) - 1))
        match draw(st.sampled_from(("spoil", "spoil", "twice", "swap", "drop"))):
            case "spoil":
                if places := [path for path in paths(told[at]) if len(path) > frozen]:
                    told[at] = spoil(told[at], draw(st.sampled_from(places)), draw(st.sampled_from(SPOILT)))
            case "twice":
                told.insert(other, copy.deepcopy(told[at]))
            case "swap":
                told[at], told[other] = told[other], told[at]
            case _:
                del told[at]
    return told

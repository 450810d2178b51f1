"""Tables that fit the terminal: columns that can be spared go first, and the reader is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import ConsoleDimensions
from rich.table import Table

from sidecar.commands.context import err, out

GAP = 2
"""Between two columns."""


def show_table(
    columns: Sequence[str],
    rows: Iterable[Iterable[object]],
    *,
    right: Iterable[str] = (),
    spare: Sequence[str] = (),
    whole: Iterable[str] = (),
    wide: bool = False,
    total: Sequence[object] = (),
) -> None:
    """Named columns, those of `right` flush right, on standard output.

    `spare`: columns that may go where the terminal is too narrow, the first of them first. `whole`: columns
    whose cells are never folded, as are those of `right`. `wide`: every column, nothing folded. `total`: a last row.
    """
    cells = [[text(cell) for cell in row] for row in rows]
    ends = [[text(cell) for cell in total]] if total else []
    needed = widths(columns, [*cells, *ends])
    width = max(out.width, taken(needed, columns)) if wide or not out.is_terminal else out.width
    kept = fitting(needed, spare, width)
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for name in kept:
        one_line = wide or name in right or name in whole
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=one_line)
    places = [columns.index(name) for name in kept]
    for row in cells:
        drawn.add_row(*(row[place] for place in places))
    for row in ends:
        drawn.add_row(*(row[place] for place in places), style="bold")
    out.size = ConsoleDimensions(width, out.height)
    out.print(drawn)
    left_out = [name for name in columns if name not in kept]
    if left_out and err.is_terminal:
        err.print(f"not shown for lack of room: {', '.join(left_out)} (--wide shows all)", style="dim", markup=False)


def text(cell: object) -> str:
    """An unknown value is a dash."""
    return "-" if cell is None else str(cell)


def widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Column -> the characters it needs."""
    return {name: max(len(name), *(len(row[place]) for row in rows), 0) for place, name in enumerate(columns)}


def fitting(needed: Mapping[str, int], spare: Sequence[str], width: int) -> list[str]:
    """The columns to show: as many of `spare` go, from the first on, as it takes."""
    kept = list(needed)
    for name in spare:
        if taken(needed, kept) <= width:
            break
        if name in kept:
            kept.remove(name)
    return kept


def taken(needed: Mapping[str, int], columns: Sequence[str]) -> int:
    """The characters that these columns take side by side."""
    return sum(needed[each] for each in columns) + GAP * (len(columns) - 1)

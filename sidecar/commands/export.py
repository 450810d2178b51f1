"""`taximeter export`: a period's rows as a file, and a manifest beside it, in a folder or at a URL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.context import err, fail
from sidecar.commands.reading import ledger, narrowed, period
from sidecar.commands.show import many, usd

if TYPE_CHECKING:
    from analytics.exports import Written
    from analytics.filing import Content
    from analytics.period import Period
    from analytics.places import Place


def export(form: str, *, since: str, filters: list[str], output: str, as_json: bool) -> int:
    """Every call of a period. Returns an exit code."""
    from analytics.filing import CALL_ROWS

    return export_content(CALL_ROWS, form, span=period(since), filters=filters, output=output, as_json=as_json)


def export_content(
    content: Content, form: str, *, span: Period, filters: list[str], output: str, as_json: bool, name: str = ""
) -> int:
    """Any content. `name`: of the file, where `output` names a folder or nothing. Returns an exit code."""
    from analytics.exports import Format
    from analytics.filing import Asked, file, rows, send

    asked = Asked(content, span, narrowed(filters), Format(form))
    with ledger() as source:
        total = rows(source, asked)
        if output == "-":
            with showing(total) as told:
                send(source, asked, sys.stdout.buffer, told)
            return Exit.OK
        with places():
            where = target(output, name or f"taximeter-{span.start:%Y%m%d}-{span.end:%Y%m%d}.{form}")
            with showing(total) as told:
                written, manifest = file(source, asked, where, told)
    if as_json:
        sys.stdout.write(manifest.decode())
        return Exit.OK
    err.print(f"{where.url}: {said(written)}; manifest beside it", markup=False)
    return Exit.OK


def said(written: Written) -> str:
    """Rows, money, and what is to be doubted, in a line."""
    sums = {name: total for name, total in written.sums.items() if isinstance(total, Decimal)}
    money = [usd(total) if len(sums) == 1 else f"{usd(total)} {name}" for name, total in sums.items()]
    doubts = [many(number, name.replace("_", " ")) for name, number in written.counts.items() if number]
    return ", ".join([many(written.rows, written.layout.name), *money, *doubts])


def target(output: str, name: str) -> Place:
    """The file that `output` means: a file, or `name` in a folder. Raises PlaceError."""
    from analytics.places import place

    where = place(output or name)
    return where.within(name) if where.is_folder else where


@contextmanager
def places() -> Iterator[None]:
    """What a place cannot do ends the command."""
    from analytics.places import PlaceError

    try:
        yield
    except PlaceError as failed:
        fail(str(failed))


@contextmanager
def showing(total: int) -> Iterator[Callable[[int], object]]:
    """Takes the rows so far, and shows them where someone is looking: rows, rows a second, time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed: Any = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} rows/s" if speed else "")

    columns = (BarColumn(), MofNCompleteColumn(), Speed(), TimeRemainingColumn())
    with Progress("exporting", *columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda rows: progress.update(task, completed=rows)

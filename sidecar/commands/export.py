"""`taximeter export`: calls as a file, and a manifest beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from sidecar.cli import Exit
from sidecar.commands.context import err, fail
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, usd

if TYPE_CHECKING:
    from analytics.exports import Written
    from analytics.period import Period
    from analytics.source import Source


def export(form: str, *, since: str, output: Path | None, as_json: bool) -> int:
    """Writes beside and renames: a file that is there is whole. Returns an exit code."""
    from analytics.exports import Format, ledger_position, manifest

    span = period(since)
    path = output or Path(f"taximeter-{span.start:%Y%m%d}-{span.end:%Y%m%d}.{form}")
    with ledger() as source:
        position = ledger_position(source)
        if str(path) == "-":
            _write(source, span, Format(form), sys.stdout.buffer)
            return Exit.OK
        half = path.with_name(f".{path.name}.half")
        try:
            with half.open("wb") as file:
                written = _write(source, span, Format(form), file)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
        except OSError as failed:
            fail(f"cannot write {path}: {failed.strerror}")
        finally:
            half.unlink(missing_ok=True)
        beside = path.with_name(f"{path.name}.manifest.json")
        beside.write_bytes(manifest(written, span.start, span.end, {}, position))
    if as_json:
        sys.stdout.write(beside.read_text())
    else:
        doubts = f", {written.unpriced_calls} without a price" if written.unpriced_calls else ""
        err.print(f"{path}: {count(written.rows)} calls, {usd(written.cost_usd)}{doubts}; manifest in {beside.name}")
    return Exit.OK


def _write(source: Source, span: Period, form: object, file: IO[bytes]) -> Written:
    """With a progress bar where someone is looking."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from analytics.exports import Format, export_question, write
    from analytics.usage import usage_question

    whole = usage_question(span.start, span.end)
    total = source.table(whole.sql, whole.params).to_pylist()[0]["calls"]
    question = export_question(span.start, span.end)
    batches = source.batches(question.sql, question.params)
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=total)
        return write(batches, cast("Format", form), file, lambda rows: progress.update(task, completed=rows))

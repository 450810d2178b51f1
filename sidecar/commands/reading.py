"""Asking the ledger from the command line: the source, the period, and what to say when neither works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sidecar.cli import Exit
from sidecar.commands.context import configuration, fail

if TYPE_CHECKING:
    from analytics.period import Period
    from analytics.source import Source


@contextmanager
def ledger() -> Iterator[Source]:
    """A source for the configured home; its errors end the command with a message."""
    from analytics.question import BadQuestion
    from analytics.source import QuestionFailed, SourceError, open_source

    try:
        yield open_source(configuration().settings.home)
    except BadQuestion as wrong:
        fail(str(wrong), Exit.USAGE)
    except QuestionFailed as refused:
        fail(str(refused))
    except SourceError as failed:
        fail(str(failed), Exit.UNREACHABLE)


def period(text: str) -> Period:
    """Reads --since; ends the command if it is not a period."""
    from analytics.period import BadPeriod, parse

    try:
        return parse(text)
    except BadPeriod as wrong:
        fail(str(wrong), Exit.USAGE)

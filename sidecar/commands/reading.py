"""Asking the ledger from the command line: the source, the period, and what to say when neither works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def narrowed(filters: Iterable[str]) -> dict[str, list[str]]:
    """Reads --filter NAME=VALUE: any of a name's values will do; "tag:team=" is without such a tag."""
    found: dict[str, list[str]] = {}
    for each in filters:
        name, equals, value = each.partition("=")
        if not equals or not name:
            fail(f"not a filter: {each!r}. Write NAME=VALUE, as provider=openai or tag:team=red.", Exit.USAGE)
        found.setdefault(name, []).append(value)
    return found

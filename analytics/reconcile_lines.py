"""What a provider says that it billed, whatever file it stands in: lines of a day and a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Fields = Mapping[str, Any]
MEASURES = ("calls", "input_tokens", "output_tokens", "cost_usd")


class BadStatement(ValueError):
    """The file is not what it should be. The message says where, and what was expected."""


@dataclass(frozen=True, slots=True)
class Billed:
    """One line. None: the file does not tell it."""

    day: date
    """UTC."""
    model: str = ""
    """As the provider writes it; "" for what has no model, or where the file does not tell."""
    calls: int | None = None
    input_tokens: int | None = None
    """Cached ones too, read and written, as in the ledger."""
    output_tokens: int | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A file that was understood."""

    name: str
    """What it is: "OpenAI costs (API)"."""
    provider: str
    lines: tuple[Billed, ...]
    first: date
    last: date
    """The days that it covers, both included, also without a line."""
    unit_usd: Decimal = Decimal(0)
    """What each line's money is rounded to; 0: not rounded that one would see it."""
    operations: tuple[str, ...] = ()
    """Of the ledger, that it covers; none: all."""
    notes: tuple[str, ...] = ()
    """What is to be known before it is compared."""

    @property
    def tells(self) -> tuple[str, ...]:
        """Of MEASURES, those that it has."""
        return tuple(name for name in MEASURES if any(getattr(line, name) is not None for line in self.lines))

    @property
    def has_models(self) -> bool:
        return any(line.model for line in self.lines)


@dataclass(frozen=True, slots=True)
class CsvForm:
    """A CSV export, known by its columns."""

    name: str
    provider: str
    needed: frozenset[str]
    known: re.Pattern[str]
    """Of whole names: other columns that it may have."""
    line: Callable[[Fields], Billed | None]
    """Of a row; None where it has nothing. Raises BadStatement."""
    unit_usd: Decimal = Decimal(0)
    operations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonForm:
    """Pages of an API, known by what is in them."""

    name: str
    provider: str
    fits: Callable[[Fields], bool]
    """Of a result."""
    expected: str
    """In words, for who brings something else."""
    line: Callable[[Fields, Fields], Billed | None]
    """Of a bucket and one of its results. Raises BadStatement."""
    operations: tuple[str, ...] = ()


def whole(value: Any, what: str) -> int:
    """A count; an absent one is 0. Raises BadStatement."""
    if value in {None, ""}:
        return 0
    number = amount(value, what)
    if number != int(number) or number < 0:
        raise BadStatement(f"{what} is not a count: {value!r}")
    return int(number)


def amount(value: Any, what: str) -> Decimal:
    """Raises BadStatement."""
    try:
        number = Decimal(str(value).replace(",", "").removeprefix("$"))
    except InvalidOperation:
        raise BadStatement(f"{what} is not a number: {value!r}") from None
    if not number.is_finite():
        raise BadStatement(f"{what} is not a number: {value!r}")
    return number


def usd(value: Any, currency: Any, what: str) -> Decimal:
    """An amount in US dollars; of any other currency BadStatement."""
    if str(currency).lower() != "usd":
        raise BadStatement(f"{what} is in {currency!r}; the ledger is in USD")
    return amount(value, what)


def day_of(value: Any, what: str) -> date:
    """Of Unix seconds, or of a date or a time in ISO form (UTC, if it says nothing else). Raises BadStatement."""
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{9,11}", text):
            return datetime.fromtimestamp(int(text), UTC).date()
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except (ValueError, OverflowError):
        raise BadStatement(f"{what} is not a time: {value!r}") from None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def covered(days: Iterable[date]) -> tuple[date, date]:
    """The first and the last. Raises BadStatement if there is none."""
    found = sorted(days)
    if not found:
        raise BadStatement("the file has no lines")
    return found[0], found[-1]

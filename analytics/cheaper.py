"""What an alias' calls would have cost at the prices of another target of the same alias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from analytics.savings import Books, Suggestion
from analytics.words import count, ms, price, share, target, usd

LEAST_USD = Decimal("0.01")
"""Saved in the period; less is not worth a line."""
LEAST_ANSWERS = 30
"""Of the other target, before its prices and its answers tell anything."""
WORSE = 0.02
"""A share of attempts that succeed that is lower by this much is worth a warning."""
_INSTEAD = {"cache_read": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
            "reasoning": "output", "audio_output": "output"}  # fmt: skip
"""Meter -> the one by whose price it goes where a target has no price for it."""
_MILLION = 1_000_000

Meters = Mapping[str, tuple[int, Decimal]]
"""Meter -> quantity, USD."""


class Target(NamedTuple):
    provider: str
    model: str

    def __str__(self) -> str:
        return target(self.provider, self.model)


@dataclass(slots=True)
class Line:
    """One meter of all that could go elsewhere."""

    quantity: int = 0
    paid: Decimal = Decimal(0)
    instead: Decimal = Decimal(0)

    def add(self, quantity: int, paid: Decimal, instead: Decimal) -> None:
        self.quantity += quantity
        self.paid += paid
        self.instead += instead

    def told(self, meter: str) -> str:
        now, then = (_price(self.quantity, sum_) for sum_ in (self.paid, self.instead))
        return (f"{meter}: {count(self.quantity)} x {price(now)} = {usd(self.paid)}; "
                f"x {price(then)} = {usd(self.instead)}")  # fmt: skip


@dataclass(slots=True)
class Move:
    """What one target answered, at the prices of another."""

    alias: str
    operation: str
    now: Target
    then: Target
    lines: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))

    @property
    def paid(self) -> Decimal:
        return sum((line.paid for line in self.lines.values()), Decimal(0))

    @property
    def instead(self) -> Decimal:
        return sum((line.instead for line in self.lines.values()), Decimal(0))

    @property
    def saved(self) -> Decimal:
        return self.paid - self.instead


def cheaper_models(books: Books) -> Iterator[Suggestion]:
    """For each target of an alias the cheapest of the others, if any is cheaper.

    Worked out workspace by workspace, since an alias and its prices may differ there, and told in sum. A target that
    calls mostly fell back to is left out: they came because others had failed."""
    rescuing = _rescuing(books)
    best: dict[tuple[str, str, Target], Move] = {}
    for move in _moves(books):
        place = (move.alias, move.operation, move.now)
        if (move.alias, move.now) in rescuing:
            continue
        if place not in best or move.saved > best[place].saved:
            best[place] = move
    yield from (_suggestion(books, move) for move in best.values() if move.saved >= LEAST_USD)


def _moves(books: Books) -> list[Move]:
    """Every target of an alias against every other, where that lowers the cost of a workspace."""
    known: dict[tuple[str, str, str], dict[Target, dict[str, tuple[int, Decimal]]]] = {}
    for workspace, alias, operation, provider, model, meter, quantity, cost in books.meters.iter_rows():
        if alias:
            targets = known.setdefault((workspace, alias, operation), {})
            targets.setdefault(Target(provider, model), {})[meter] = (quantity, cost)
    proven = _proven(books)
    moves: dict[tuple[str, str, Target, Target], Move] = {}
    for (workspace, alias, operation), targets in known.items():
        for now, then in ((now, then) for now in targets for then in targets if now != then):
            lines = repriced(targets[now], targets[then])
            if lines is None or (workspace, alias, operation, then) not in proven:
                continue
            move = moves.setdefault((alias, operation, now, then), Move(alias, operation, now, then))
            for meter, line in lines.items():
                move.lines[meter].add(*line)
    return list(moves.values())


def _proven(books: Books) -> set[tuple[str, str, str, Target]]:
    """Where a target has answered enough, and always at a known price."""
    rows = books.tried.group_by("workspace", "alias", "operation", "provider", "model").agg(
        pl.col("answered", "unpriced").sum()
    )
    return {
        (row["workspace"], row["alias"], row["operation"], Target(row["provider"], row["model"]))
        for row in rows.iter_rows(named=True)
        if row["answered"] >= LEAST_ANSWERS and not row["unpriced"]
    }


def _rescuing(books: Books) -> set[tuple[str, Target]]:
    """Targets that at least half of an alias' attempts there fell back to."""
    place = ["alias", "provider", "model"]
    tried = books.tried.group_by(place).agg(pl.col("attempts").sum())
    fallen = tried.join(books.moves, on=place, how="inner").filter(2 * pl.col("moves") >= pl.col("attempts"))
    return {(alias, Target(provider, model)) for alias, provider, model in fallen.select(place).iter_rows()}


def repriced(now: Meters, then: Meters) -> dict[str, tuple[int, Decimal, Decimal]] | None:
    """Meter -> quantity, what it cost, what it costs at the other's prices. None where the other has no such price."""
    lines = {}
    for meter, (quantity, paid) in now.items():
        like: str | None = meter
        while like is not None and like not in then:
            like = _INSTEAD.get(like)
        if like is None:
            return None
        lines[meter] = (quantity, paid, _at(quantity, then[like]))
    return lines


def _at(quantity: int, other: tuple[int, Decimal]) -> Decimal:
    counted, cost = other
    return (quantity * cost / counted).quantize(Decimal("1e-12"))


def _price(quantity: int, cost: Decimal) -> Decimal:
    """USD a million."""
    return _MILLION * cost / quantity


def _suggestion(books: Books, move: Move) -> Suggestion:
    now, then = (_record(books, move, each) for each in (move.now, move.then))
    days = f"{books.period.length.total_seconds() / 86400:.3g} days"
    unknown = ["whether its answers are as good, and whether it needs as many tokens for them"]
    if not move.instead:
        unknown.append(f"what {move.then} costs to run: its price is declared as $0 here")
    worse = now.success - then.success > WORSE
    if worse:
        unknown.append("whether its failures would go on: it succeeded less often here")
    return Suggestion(
        kind="cheaper_model",
        title=f"{move.alias}: {move.then} instead of {move.now}",
        saves_usd=move.saved,
        saves_30d_usd=books.month(move.saved),
        period=books.period,
        arithmetic=(
            f"{move.alias} had {count(now.answered)} answers from {move.now}; its tokens there, at either's price:",
            *(line.told(meter) for meter, line in sorted(move.lines.items())),
            f"{usd(move.paid)} - {usd(move.instead)} = {usd(move.saved)} in {days}",
            f"as {move.alias} knows them: {now.told(move.now)}; {then.told(move.then)}",
        ),
        confidence="low" if worse or not move.instead else "medium",
        unknown=tuple(unknown),
        evidence={"alias": move.alias, "operation": move.operation, **move.now._asdict()},
    )


class Record(NamedTuple):
    """How a target did under an alias."""

    attempts: int
    answered: int
    ms: float

    @property
    def success(self) -> float:
        return self.answered / self.attempts if self.attempts else 0.0

    def told(self, who: Target) -> str:
        took = f", {ms(self.ms / self.answered)} on average" if self.answered else ""
        return f"{who} answered {share(self.success)} of {count(self.attempts)} attempts{took}"


def _record(books: Books, move: Move, who: Target) -> Record:
    asked = {"alias": move.alias, "operation": move.operation, **who._asdict()}
    mine = books.tried.filter(*(pl.col(name) == value for name, value in asked.items()))
    return Record(*mine.select(pl.col("attempts", "answered", "ms").sum()).row(0))

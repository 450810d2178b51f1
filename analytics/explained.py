"""Sentences about anomalies: what the day came to, what is usual, and who moved most."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from analytics.words import count, ms, share, usd

if TYPE_CHECKING:
    from analytics.anomalies import Anomaly

PARTS = ("caller", "alias", "model")
"""Where a change is looked for."""
CONCENTRATED = 0.15
"""How much more of the change than of the usual a part needs, to be named."""


class Part(NamedTuple):
    """One caller, alias or model: its day, and the mean of the usual days."""

    name: str
    value: str
    on_day: dict[str, Any]
    usually: dict[str, Any]
    moved: float
    """Its share of the change; above 1 where others moved the other way."""
    weight: float
    """Its share of the usual days."""


def explanation(anomaly: Anomaly, days: pl.DataFrame) -> str:
    """Two sentences. `days`: the answer of `days_question`."""
    mine = days.filter((pl.col("workspace") == anomaly.workspace) & (pl.col("provider") == anomaly.provider))
    found = max(
        (part for name in PARTS for part in parts(anomaly, mine, name)),
        key=lambda part: part.moved - part.weight,
        default=None,
    )
    if found is None:
        return f"{_what(anomaly)} One caller, one alias and one model are all there is."
    if found.moved - found.weight < CONCENTRATED:
        return f"{_what(anomaly)} No caller, alias or model stands out: they moved alike."
    return f"{_what(anomaly)} {_who(anomaly.measure, found)}"


def parts(anomaly: Anomaly, mine: pl.DataFrame, name: str) -> list[Part]:
    """Of one dimension; none where it has one value only."""
    sums = pl.col("attempts", "failed", "answered", "cost_usd", "ms").sum()
    day = _by(mine.filter(pl.col("day") == anomaly.day), name, sums)
    before = _by(mine.filter(pl.col("day").is_in(list(anomaly.days))), name, sums)
    values = sorted(day.keys() | before.keys())
    if len(values) < 2:
        return []
    usual = {value: {each: total / len(anomaly.days) for each, total in before.get(value, _NOTHING).items()}
             for value in values}  # fmt: skip
    change = {value: _change(anomaly, day.get(value, _NOTHING), usual[value]) for value in values}
    size = {value: float(usual[value][_SIZE[anomaly.measure]]) for value in values}
    whole, weight = sum(change.values()), sum(size.values())
    return [
        Part(name, value, day.get(value, _NOTHING), usual[value], change[value] / whole if whole else 0.0,
             size[value] / weight if weight else 0.0)
        for value in values
    ]  # fmt: skip


_NOTHING: dict[str, Any] = {"attempts": 0, "failed": 0, "answered": 0, "cost_usd": Decimal(0), "ms": 0.0}
_SIZE = {"cost_usd": "cost_usd", "attempts": "attempts", "error_share": "attempts", "mean_ms": "answered"}


def _by(rows: pl.DataFrame, name: str, sums: pl.Expr) -> dict[str, dict[str, Any]]:
    return {row.pop(name): row for row in rows.group_by(name).agg(sums).iter_rows(named=True)}


def _change(anomaly: Anomaly, day: dict[str, Any], usual: dict[str, Any]) -> float:
    """What a part adds to the change: of shares and means, what it has beyond the usual ones of the whole."""
    match anomaly.measure:
        case "error_share":
            return float(day["failed"] - anomaly.expected * day["attempts"])
        case "mean_ms":
            return float(day["ms"] - anomaly.expected * day["answered"])
        case measure:
            return float(day[measure]) - float(usual[measure])


def _what(anomaly: Anomaly) -> str:
    told = {
        "cost_usd": "{provider} cost {value}",
        "attempts": "{provider} was sent {value} requests",
        "error_share": "{value} of the requests to {provider} failed",
        "mean_ms": "answers of {provider} took {value} on average",
    }[anomaly.measure].format(provider=anomaly.provider, value=_figure(anomaly.measure, anomaly.value))
    like = f"{anomaly.day:%A}s" if len({day.weekday() for day in anomaly.days}) == 1 else "days"
    expected, bound = (
        _figure(anomaly.measure, value)
        for value in (anomaly.expected, anomaly.high if anomaly.score > 0 else anomaly.low)
    )
    so_far = " so far" if anomaly.partial else ""
    reach = f"up to {bound}" if anomaly.score > 0 else f"down to {bound}"
    whose = f" in {anomaly.workspace}" if anomaly.workspace else ""
    usually = f"the median of the {len(anomaly.days)} {like} before is {expected}, and {reach} would be nothing unusual"
    return f"On {anomaly.day:%A %-d %B %Y}{so_far}, {told}{whose}; {usually}."


def _who(measure: str, part: Part) -> str:
    who = f"{part.name} {part.value or '(none)'}"
    day, usual = part.on_day, part.usually
    match measure:
        case "error_share":
            told = (f"{count(day['failed'])} of its {count(day['attempts'])} requests failed, usually "
                    f"{count(usual['failed'])} of {count(usual['attempts'])}")  # fmt: skip
        case "mean_ms":
            told = f"{_mean(day)} for each of {count(day['answered'])} answers, usually {_mean(usual)}"
        case _:
            told = f"{_figure(measure, day[measure])} instead of {_figure(measure, usual[measure])}"
    return f"Most of it is {who}: {told} ({share(min(part.moved, 1.0))} of the change)."


def _mean(sums: dict[str, Any]) -> str:
    return ms(sums["ms"] / sums["answered"]) if sums["answered"] else "none"


def _figure(measure: str, value: Any) -> str:
    match measure:
        case "cost_usd":
            return usd(Decimal(value))
        case "error_share":
            return share(value)
        case "mean_ms":
            return ms(value)
        case _:
            return count(value)

"""Charges: what the ledger's costs come to, by the calendar month (UTC) that they are billed in.

A closed month's charges stand in `ai_billed_costs` and never change. Of all other costs, a charge is what the ledger
has now less what was billed; it belongs to the month of its day, or to the first open month where its own is closed: a
correction, of which quantity and cost may be negative. So all charges of all months together are the ledger's costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from analytics.dimensions import dimension, tag_key
from analytics.question import BadQuestion, Condition, Filters, Question, every, one_of

GRAIN = ("day", "workspace", "provider", "provider_type", "model", "key_owner", "meter", "price_per_million_usd",
         "price_source", "price_version", "usage_source", "tags")  # fmt: skip
"""What parts one charge of a month from another. `tags` by the order of their keys."""
CHARGE = ("month", *GRAIN, "quantity", "cost_usd")
"""Columns of a charge: `month` and `day` DATE, `quantity` HUGEINT in the meter's unit, `cost_usd` DECIMAL(38, 12)."""
NARROWED_BY = ("workspace", "provider", "provider_type", "model", "key_owner", "meter", "price_source", "usage_source")
"""Filters; besides, tag:<key>."""


def months(start: datetime, end: datetime, now: datetime) -> tuple[date, date]:
    """The first of the months in [start, end), and the first one behind them. The month that has begun is whole as far
    as it has come. Raises BadQuestion: charges are of whole months."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    if first != _first_of(first):
        raise BadQuestion(f"charges are of whole months, and {first:%Y-%m-%d %H:%M} UTC is amid one: say {first:%Y-%m}")
    if last != _first_of(last) and _first_of(last) != _first_of(now):
        raise BadQuestion(f"charges are of whole months, and {last:%Y-%m-%d %H:%M} UTC is amid one: say {last:%Y-%m}")
    behind = last.date() if last == _first_of(last) else after(_first_of(last).date())
    return first.date(), behind


def month_of(text: str) -> date:
    """ "2026-10": its first day. Raises BadQuestion."""
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        first = date.min
    if not 1970 <= first.year < 9999:  # when calls can be, and a month behind it
        raise BadQuestion(f"not a month: {text!r}. Write it like 2026-10.")
    return first


def after(first: date) -> date:
    """The next month's first day."""
    return (first + timedelta(days=31)).replace(day=1)


def _first_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def charges_question(first: date, behind: date, filters: Filters | None = None) -> Question:
    """Columns: CHARGE. Those billed in the months from `first` on, up to `behind` without it. Raises BadQuestion."""
    where = every([narrowed(name, wanted) for name, wanted in (filters or {}).items()])
    grain, charge = ", ".join(GRAIN), ", ".join(CHARGE)
    sql = f"""WITH standing AS (
  SELECT ?::DATE AS first, ?::DATE AS behind,
    (SELECT CAST(max(month) + INTERVAL 1 MONTH AS DATE) FROM ai_billing_periods) AS opened
), found AS (
  SELECT {_BUT_TAGS}, {_SORTED_TAGS} AS tags, quantity, cost_usd FROM (
    SELECT {grain}, sum(quantity) AS quantity, sum(cost_usd) AS cost_usd
    FROM ai_cost_days, standing WHERE {_DUE} AND {where.sql} GROUP BY ALL
  )
  UNION ALL
  SELECT {grain}, -quantity, -cost_usd FROM ai_billed_costs, standing WHERE {_DUE} AND {where.sql}
), unbilled AS (
  SELECT {grain}, sum(quantity) AS quantity, sum(cost_usd) AS cost_usd FROM found GROUP BY ALL
  HAVING sum(quantity) <> 0 OR sum(cost_usd) <> 0
)
SELECT {charge} FROM ai_billed_costs, standing WHERE month >= first AND month < behind AND {where.sql}
UNION ALL
SELECT {charge} FROM (SELECT {_BILLED_IN} AS month, unbilled.*, first FROM unbilled, standing) WHERE month >= first"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (first.isoformat(), behind.isoformat(), *where.params * 3))


_BUT_TAGS = ", ".join(GRAIN[:-1])
_SORTED_TAGS = "map_from_entries(list_sort(map_entries(tags)))"
# The first open month takes in what is not billed of all days before it.
_DUE = "day < behind AND (opened IS NULL OR opened < behind) AND (day >= first OR opened >= first)"
_BILLED_IN = "greatest(CAST(date_trunc('month', day) AS DATE), opened)"


def narrowed(name: str, wanted: str | Sequence[str]) -> Condition:
    """A condition on a charge's columns. Raises BadQuestion."""
    if tag_key(name) is not None:
        tag = dimension(name)
        return one_of(tag.expression, wanted, tag.params)
    if name not in NARROWED_BY:
        raise BadQuestion(f"charges cannot be narrowed by {name!r}, but by {', '.join(NARROWED_BY)}, tag:<key>")
    return one_of(name, wanted)

"""Billing rows by the FinOps Open Cost and Usage Specification: a row a UTC day, workspace, provider, model, meter,
unit price and tags; also parted by key owner, where the price is from, and how the usage is known.

ListCost is ListUnitPrice by PricingQuantity to the last decimal. The ledger rounds each call to the picodollar; where
that makes another sum, the difference is a row of its own, meter "Rounding". So a file's costs are the ledger's.
Usage that no price is known for has no row; `unpriced_question` counts it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from analytics.charges import charges_question, narrowed
from analytics.focus_columns import METERS, MILLION, SELLERS, Meter, Version, columns
from analytics.question import Filters, Question, every

__all__ = ["Version", "focus_question", "unpriced_question"]


def focus_question(first: date, behind: date, version: Version, filters: Filters | None = None) -> Question:
    """Columns: those of `focus_columns.columns(version)`, of the months billed from `first` on, up to `behind` without
    it; in an order that the rows themselves make. Raises BadQuestion."""
    charges = charges_question(first, behind, filters)
    shown = ",\n  ".join(f'{each.expression} AS "{each.name}"' for each in columns(version))
    sql = f"""SELECT
  {shown}
FROM (
  SELECT *, cost_usd - product AS rest,
    unnest(CASE WHEN quantity = 0 THEN [true] WHEN cost_usd = product THEN [false] ELSE [false, true] END) AS rounding
  FROM ({_priced(charges.sql)})
)
ORDER BY month, day, workspace, provider, model, meter, price_per_million_usd, key_owner, provider_type,
  price_source, price_version, usage_source, CAST(to_json(tags) AS VARCHAR), rounding"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, charges.params)


def unpriced_question(first: date, behind: date, filters: Filters | None = None) -> Question:
    """One row: `calls` that used what has no price, and the `tokens` (BIGINT) of that, as far as they are known; of the
    calls that began in those months and are still held. Raises BadQuestion."""
    where = every([narrowed(name, wanted) for name, wanted in (filters or {}).items() if name not in _OF_A_PRICE])
    sql = f"""SELECT count(DISTINCT (sidecar_id, seq)) AS calls,
  CAST(coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0) AS BIGINT) AS tokens
FROM (SELECT * FROM ai_call_attempts WHERE NOT priced AND started_at >= ?::TIMESTAMP)
JOIN (SELECT sidecar_id, seq, tags FROM ai_call_logs WHERE started_at >= ?::TIMESTAMP AND started_at < ?::TIMESTAMP)
  USING (sidecar_id, seq)
WHERE {where.sql}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (first.isoformat(), first.isoformat(), behind.isoformat(), *where.params))


_OF_A_PRICE = frozenset({"meter", "price_source", "usage_source"})
"""Filters that what has no price does not know."""


def _priced(charges: str) -> str:
    """Charges with their quantities, unit price and exact product, and what they are called."""
    return f"""SELECT charge.*, coalesce(meter_name, charge.meter) AS meter_name, coalesce(unit, 'Units') AS unit,
    coalesce(pricing_unit, '{MILLION} Units') AS pricing_unit,
    coalesce(service, provider) AS service, coalesce(company, provider) AS company,
    CAST(CAST(quantity AS DECIMAL(24, 0)) * coalesce(consumed_by, 1) AS DECIMAL(38, 18)) AS consumed,
    CAST(CAST(quantity AS DECIMAL(24, 0)) * coalesce(priced_by, 0.000001) AS DECIMAL(38, 18)) AS priced,
    CAST(price_per_million_usd * coalesce(price_by, 1) AS DECIMAL(38, 18)) AS unit_price,
    price_per_million_usd * CAST(CAST(quantity AS DECIMAL(20, 0)) * 0.000001 AS DECIMAL(20, 6)) AS product
  FROM ({charges}) AS charge
  LEFT JOIN (VALUES {_METERS}) AS meters(meter, meter_name, unit, pricing_unit, consumed_by, priced_by, price_by)
    ON meters.meter = charge.meter
  LEFT JOIN (VALUES {_SELLERS}) AS sellers(provider_type, service, company)
    ON sellers.provider_type = charge.provider_type"""  # noqa: S608 - as above


def _row(*cells: str) -> str:
    return f"({', '.join(cells)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _factor(value: Decimal, scale: int) -> str:
    return f"CAST({value:f} AS DECIMAL(13, {scale}))"


def _of_meter(name: str, meter: Meter) -> str:
    """What turns our quantity and our price for a million into theirs."""
    units = meter.per * meter.priced
    told = (_text(each) for each in (name, meter.name, meter.unit, meter.pricing_unit))
    factors = (
        _factor(1 / Decimal(meter.per), 12),
        _factor(1 / Decimal(units), 12),
        _factor(Decimal(units) / MILLION, 6),
    )
    return _row(*told, *factors)


_METERS = ", ".join(_of_meter(name, meter) for name, meter in METERS.items())
_SELLERS = ", ".join(_row(*map(_text, (kind, each.service, each.company))) for kind, each in SELLERS.items())

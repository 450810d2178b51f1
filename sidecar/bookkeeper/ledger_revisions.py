"""Costs priced anew: which attempts may be, and how their rows, and their calls', get new values and keep the old.

Only what hangs on a price of ours: neither what a provider billed itself, nor what is free by declaration. A call costs
what its attempts do, and is unpriced if one that was used is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from sidecar.bookkeeper import columns, ledger_days
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_rows import registered
from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.v1 import metering_pb2

_USAGE = (
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    *("audio_input_tokens", "audio_output_tokens", "images", "seconds", "characters", "requests"),
)
_RATABLE = """
SELECT
    a.sidecar_id, a.seq, a.number, c.workspace, a.provider, a.provider_type, a.model, a.model_reported,
    epoch_us(a.started_at) * 1000 AS started_ns, {usage},
    a.priced, a.cost_usd, a.price_source, a.price_version, a.cost_lines
FROM attempts AS a
JOIN calls AS c USING (sidecar_id, seq)
JOIN rolled ON c.started_at >= rolled."since"
WHERE c.started_at >= make_timestamp($start) AND c.started_at < make_timestamp($end)
AND a.usage_source <> 'none' AND a.price_source NOT IN ('provider', 'declared')
AND ($provider = '' OR a.provider = $provider) AND ($model = '' OR $model IN (a.model, a.model_reported))
AND (NOT $unpriced OR NOT a.priced)
AND (a.sidecar_id, a.seq, a.number) > ($sidecar_id, $seq, $number)
ORDER BY a.sidecar_id, a.seq, a.number
LIMIT $limit
""".format(usage=", ".join(f"a.{name}" for name in _USAGE))
_FRESH = """
CREATE TEMP TABLE fresh AS
SELECT
    $rerating_id AS rerating_id, a.sidecar_id, a.seq, a.number AS attempt, make_timestamp($at) AS "at",
    $actor AS actor, $reason AS reason,
    a.priced AS old_priced, a.cost_usd AS old_cost_usd, a.price_source AS old_price_source,
    a.price_version AS old_price_version, a.cost_lines AS old_cost_lines,
    b.priced, b.cost_usd, b.price_source, b.price_version, b.cost_lines
FROM batch AS b
JOIN attempts AS a ON a.sidecar_id = b.sidecar_id AND a.seq = b.seq AND a.number = b.attempt
JOIN calls AS c ON c.sidecar_id = b.sidecar_id AND c.seq = b.seq
JOIN rolled ON c.started_at >= rolled."since"
WHERE b.priced AND a.usage_source <> 'none' AND a.price_source NOT IN ('provider', 'declared')
AND NOT EXISTS (
    FROM cost_revisions AS r
    WHERE r.sidecar_id = a.sidecar_id AND r.seq = a.seq AND r.attempt = a.number AND r.rerating_id = $rerating_id
)
"""
_ATTEMPTS = """
UPDATE attempts AS a SET
    priced = r.priced, cost_usd = r.cost_usd, price_source = r.price_source, price_version = r.price_version,
    cost_lines = r.cost_lines
FROM fresh AS r WHERE r.sidecar_id = a.sidecar_id AND r.seq = a.seq AND r.attempt = a.number
"""
_CALLS = """
UPDATE calls AS c SET
    priced = s.cost_usd IS NOT NULL, cost_usd = s.cost_usd,
    price_source = if(s.cost_usd IS NULL, '', s.price_source),
    price_version = if(s.cost_usd IS NULL, '', s.price_version)
FROM (
    SELECT
        sidecar_id, seq, if(bool_and(priced), TRY_CAST(sum(cost_usd) AS DECIMAL(18, 12)), NULL) AS cost_usd,
        arg_max(price_source, number) AS price_source, arg_max(price_version, number) AS price_version
    FROM attempts
    WHERE (sidecar_id, seq) IN (SELECT (sidecar_id, seq) FROM fresh) AND (usage_source <> 'none' OR NOT priced)
    GROUP BY sidecar_id, seq
) AS s
WHERE c.sidecar_id = s.sidecar_id AND c.seq = s.seq
"""
_NEWEST = """
CREATE TEMP TABLE fresh AS
FROM cost_revisions
QUALIFY row_number() OVER (PARTITION BY sidecar_id, seq, attempt ORDER BY "at" DESC, rerating_id DESC) = 1
"""


@dataclass(frozen=True, slots=True)
class Rerating:
    """Why, when and by whom."""

    rerating_id: str
    reason: str
    actor: str
    at_ns: int


def ratable(ledger: Ledger, asked: pb.ListRatableRequest, limit: int) -> list[pb.RatableAttempt]:
    """In the order of their keys, at most `limit`. Raises LedgerFault."""
    parameters = {
        "start": asked.start_ns // 1000,
        "end": asked.end_ns // 1000,
        "provider": asked.provider,
        "model": asked.model,
        "unpriced": asked.unpriced_only,
        "sidecar_id": asked.after.sidecar_id,
        "seq": asked.after.seq,
        "number": asked.after.number,
        "limit": limit,
    }
    with ledger.reading() as reader:
        return [_message(row) for row in reader.execute(_RATABLE, parameters).to_arrow_table().to_pylist()]


def revise(ledger: Ledger, why: Rerating, costs: Sequence[pb.RevisedCost]) -> int:
    """All of it in one transaction; returns how many attempts have a new cost. Raises LedgerFault."""
    if not costs:
        return 0
    said = {
        "rerating_id": why.rerating_id, "reason": why.reason, "actor": why.actor, "at": why.at_ns // 1000
    }  # fmt: skip
    with ledger.transaction() as writer, registered(writer, _batch(costs)):
        writer.execute(_FRESH, said)
        writer.execute("INSERT INTO cost_revisions BY NAME FROM fresh")
        if day := _earliest(writer):
            ledger.changing(day)
            ledger_days.move_back(writer, day)
        return _put(writer)


def _earliest(writer: duckdb.DuckDBPyConnection) -> date | None:
    """The first day with a call in `fresh`."""
    found = writer.execute("SELECT CAST(min(started_at) AS DATE) FROM calls JOIN fresh USING (sidecar_id, seq)")
    day: date | None = found.fetchall()[0][0]
    return day


def reapply(writer: duckdb.DuckDBPyConnection) -> None:
    """What rows were booked with gives way to the newest revision of each; in the caller's transaction."""
    writer.execute(_NEWEST)
    _put(writer)


def _put(writer: duckdb.DuckDBPyConnection) -> int:
    """`fresh` into the rows."""
    counted = writer.execute("SELECT count(*) FROM fresh").fetchone()
    writer.execute(_ATTEMPTS)
    writer.execute(_CALLS)
    writer.execute("DROP TABLE fresh")
    return int(counted[0]) if counted else 0


def _batch(costs: Sequence[pb.RevisedCost]) -> pa.Table:
    keys = [each.key for each in costs]
    return pa.table(
        {
            "sidecar_id": pa.array([key.sidecar_id for key in keys], columns.TEXT),
            "seq": pa.array([key.seq for key in keys], columns.INT),
            "attempt": pa.array([key.number for key in keys], pa.int32()),
            **columns.costs([each.cost for each in costs]),
        }
    )


def _message(row: dict[str, Any]) -> pb.RatableAttempt:
    cost = row["cost_usd"]
    return pb.RatableAttempt(
        key=pb.AttemptKey(sidecar_id=row["sidecar_id"], seq=row["seq"], number=row["number"]),
        workspace=row["workspace"],
        provider=row["provider"],
        provider_type=row["provider_type"],
        model_requested=row["model"],
        model_reported=row["model_reported"],
        started_ns=row["started_ns"],
        usage=metering_pb2.Usage(**{name: row[name] for name in _USAGE}),
        cost=metering_pb2.Cost(
            priced=row["priced"],
            amount_picodollars=None if cost is None else _picodollars(cost),
            price_source=row["price_source"],
            price_version=row["price_version"],
            lines=[
                metering_pb2.CostLine(
                    meter=line["meter"],
                    quantity=line["quantity"],
                    price_per_million_picodollars=_picodollars(line["price_per_million_usd"]),
                    cost_picodollars=_picodollars(line["cost_usd"]),
                )
                for line in row["cost_lines"]
            ],
        ),
    )


def _picodollars(usd: Decimal | None) -> int:
    return int((usd or Decimal(0)).scaleb(12))

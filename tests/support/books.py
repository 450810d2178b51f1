"""What a real stack's ledger says once all is booked."""

from __future__ import annotations

from typing import Any

from analytics.answering import SourceError
from analytics.source import open_source
from tests.support.stack import Stack, until

_ROWS = "SELECT * FROM ai_call_logs ORDER BY started_at, seq"


def booked(stack: Stack) -> list[dict[str, Any]]:
    """Every call's row, in order, each key once. A bookkeeper must run."""
    source = open_source(stack.home)

    def up_to_date() -> bool:
        try:
            return bool(source.status().backlog_bytes == 0)
        except SourceError:
            return False

    until(up_to_date, "the bookkeeper has booked everything")
    rows: list[dict[str, Any]] = source.table(_ROWS).to_pylist()
    assert len({(row["sidecar_id"], row["seq"]) for row in rows}) == len(rows), "a row is doubled"
    assert len({row["call_id"] for row in rows}) == len(rows), "a call is doubled"
    assert source.table("SELECT count(*) AS n FROM ai_open_calls").to_pylist() == [{"n": 0}]
    return rows

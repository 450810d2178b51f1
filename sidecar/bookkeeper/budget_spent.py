"""What a budget's window has come to: the rule of `sidecar.budget.charges`, as SQL over all that is booked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.bookkeeper.batch import At
from sidecar.bookkeeper.ledger import Ledger

SCOPES = {
    "workspace": "c.workspace = $workspace",
    "alias": "c.workspace = $workspace AND c.alias = $subject",
    "caller": "c.workspace = $workspace AND c.caller = $subject",
    "key": "a.key_id = $subject AND $workspace IN (c.workspace, 'default')",
}
"""Whose attempts. A key's own only; a budget of the default workspace, the operator's, counts those of all."""
_NEVER_NS = 2**62
_SPENT = """
SELECT
    coalesce(sum(coalesce(a.cost_usd, 0) + if($risk, coalesce(a.cost_at_risk_usd, 0), 0)), 0) AS usd,
    coalesce(sum(
        coalesce(a.input_tokens, 0) + coalesce(a.output_tokens, 0) + if($risk, coalesce(a.tokens_at_risk, 0), 0)
    ), 0) AS tokens,
    {requests} AS requests
FROM calls AS c
JOIN attempts AS a USING (sidecar_id, seq)
WHERE {whose}
AND coalesce(c.budget_at, c.started_at) >= make_timestamp($start)
AND coalesce(c.budget_at, c.started_at) < make_timestamp($end)
"""
_POSITIONS = "SELECT sidecar_id, segment, byte_offset FROM ledger_positions"


@dataclass(frozen=True, slots=True)
class Question:
    workspace: str
    scope: str
    """workspace | key | alias | caller"""
    subject: str
    start_ns: int
    end_ns: int
    """UTC, exclusive; 0 = never."""
    count_at_risk: bool


@dataclass(frozen=True, slots=True)
class Spent:
    picodollars: int
    tokens: int
    requests: int
    """Calls of which anything was sent; of a key: attempts with it."""
    positions: Mapping[str, At]
    """By sidecar: up to where its journal is in the sums."""


def budget_spent(ledger: Ledger, asked: Question) -> Spent:
    """Sums and positions of one moment. Raises LedgerFault, and KeyError for a scope there is not."""
    parameters: dict[str, object] = {
        "risk": asked.count_at_risk,
        "start": asked.start_ns // 1000,
        "end": (asked.end_ns or _NEVER_NS) // 1000,
        "workspace": asked.workspace,
    }
    if asked.scope != "workspace":
        parameters["subject"] = asked.subject
    with ledger.reading() as reader:
        reader.execute("BEGIN TRANSACTION READ ONLY")
        row = reader.execute(_sql(asked.scope), parameters).fetchone()
        positions = {name: (segment, offset) for name, segment, offset in reader.execute(_POSITIONS).fetchall()}
        reader.execute("ROLLBACK")
    usd, tokens, requests = row or (0, 0, 0)
    return Spent(int(usd * 10**12), int(tokens), int(requests), positions)


def _sql(scope: str) -> str:
    requests = "count(*)" if scope == "key" else "count(DISTINCT (sidecar_id, seq))"
    return _SPENT.format(whose=SCOPES[scope], requests=requests)

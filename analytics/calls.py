"""Calls one by one: lists in pages, one call with all that is known of it, and the newest as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.answering import Source
from analytics.dimensions import DIMENSIONS, OF_TARGET, OF_TIME, dimension, narrow
from analytics.question import BadQuestion, Condition, Filters, Parameter, Question, every, moment, one_of, within
from taximeter import fallbacks

Row = dict[str, Any]

LISTED = """sidecar_id, seq, call_id, started_at, started_ns, status, alias, operation, streamed, provider, model,
 attempts, workspace, caller, request_id, conversation_id, trace_id"""
"""Columns of a call that are known from its start on."""
OUTCOME = """ended_at, duration_ms, time_to_first_token_ms, input_tokens, cache_read_tokens, output_tokens,
 reasoning_tokens, usage_source, priced, cost_usd, cost_at_risk_usd, maybe_billed, error_type, fallback_used,
 fallback_reason, overhead_us"""
"""Columns that are NULL until a call is finished."""
SEARCHED = ("call_id", "request_id", "conversation_id", "trace_id")
_EVERY_CALL = f"""(SELECT {LISTED}, tags, key_id, {OUTCOME} FROM ai_call_logs
 UNION ALL BY NAME SELECT {LISTED}, tags, key_id FROM ai_open_calls)"""  # noqa: S608 - columns of this module


@dataclass(frozen=True, slots=True)
class Place:
    """Just after a call in a list: where the next page begins."""

    started_ns: int
    sidecar_id: str
    seq: int

    @classmethod
    def of(cls, row: Row) -> Place:
        return cls(row["started_ns"], row["sidecar_id"], row["seq"])


def involved(filters: Filters | None) -> list[Condition]:
    """Conditions on calls. A provider, model or key is one that the call went to, whoever answered it in the end.

    Raises BadQuestion."""
    return [
        _went_to(name, wanted) if name in OF_TARGET else narrow(name, wanted)
        for name, wanted in (filters or {}).items()
    ]


def _went_to(name: str, wanted: str | Sequence[str]) -> Condition:
    there = one_of(OF_TARGET[name], wanted)
    sql = f"""({there.sql} OR (sidecar_id, seq) IN
 (SELECT (sidecar_id, seq) FROM ai_call_attempts WHERE {there.sql}))"""  # noqa: S608 - a column's name, no values
    return Condition(sql, (*there.params, *there.params))


def calls_question(
    start: datetime,
    end: datetime,
    filters: Filters | None = None,
    *,
    search: str = "",
    after: Place | None = None,
    limit: int = 100,
) -> Question:
    """Calls begun in [start, end), the newest first, open ones too. Columns: LISTED, OUTCOME.

    `search`: part of an id (SEARCHED), upper and lower case alike. `after`: the place of the last row of the page
    before. Raises BadQuestion."""
    asked = [within(start, end), *involved(filters)]
    if search.strip():
        asked.append(_found(search.strip()))
    if after:
        place: tuple[Parameter, ...] = (after.started_ns, after.sidecar_id, after.seq)
        asked.append(Condition("(started_ns, sidecar_id, seq) < (?, ?, ?)", place))
    where = every(asked)
    sql = f"""SELECT {LISTED}, {OUTCOME} FROM {_EVERY_CALL} WHERE {where.sql}
ORDER BY started_ns DESC, sidecar_id DESC, seq DESC LIMIT ?"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*where.params, limit))


def _found(text: str) -> Condition:
    sql = " OR ".join(f"contains(lower({column}), lower(?))" for column in SEARCHED)
    return Condition(f"({sql})", (text,) * len(SEARCHED))


def choices_question(start: datetime, end: datetime, name: str) -> Question:
    """Column `value`: what a dimension had in the period, by name. A target's: wherever calls went. BadQuestion."""
    if name in OF_TIME:
        raise BadQuestion(f"{name!r} has no values to choose from; there are: {', '.join(DIMENSIONS)}")
    asked, period = dimension(name), within(start, end)
    table = "ai_call_attempts" if name in OF_TARGET else _EVERY_CALL
    sql = f"SELECT DISTINCT {asked.expression} AS value FROM {table} WHERE {period.sql} ORDER BY value"  # noqa: S608
    return Question(sql, (*asked.params, *period.params))


@dataclass(frozen=True, slots=True)
class OneCall:
    """All that is known of a call. `attempts` by number; `costs` by attempt, a line a meter."""

    call: Row
    attempts: list[Row]
    costs: list[Row]

    @property
    def fallback_message(self) -> str:
        """As the caller was told it; empty if no fallback was needed, or none worked."""
        if not self.call.get("fallback_used") or self.call["status"] != "ok":
            return ""
        tried = ((each["provider"], each["status"], each["error_type"]) for each in self.attempts)
        skipped = ((each["provider"], each["reason"]) for each in self.call["skips"] or ())
        return fallbacks.fallback_message(self.call["provider"], tried, skipped)


def one_call(source: Source, call_id: str, workspace: str | None = None) -> OneCall | None:
    """The call, of that workspace if one is given; open, if it is not finished; None if there is none."""
    for view in ("ai_call_logs", "ai_open_calls"):
        question = _call_question(view, call_id, workspace)
        if rows := source.table(question.sql, question.params).to_pylist():
            row = rows[0]
            key = (row["sidecar_id"], row["seq"])
            return OneCall(
                row,
                source.table(_PARTS.format("*", "ai_call_attempts", "number"), key).to_pylist(),
                source.table(_PARTS.format("*", "ai_call_costs", "attempt, meter"), key).to_pylist(),
            )
    return None


_PARTS = "SELECT {} FROM {} WHERE sidecar_id = ? AND seq = ? ORDER BY {}"


def _call_question(view: str, call_id: str, workspace: str | None) -> Question:
    asked = [Condition("call_id = ?", (call_id,))]
    if workspace is not None:
        asked.append(Condition("workspace = ?", (workspace,)))
    where = every(asked)
    return Question(f"SELECT * FROM {view} WHERE {where.sql} LIMIT 1", where.params)  # noqa: S608 - a view's name


OVERLAP = timedelta(seconds=5)
"""Calls stand in the ledger in the order of their ends but for clocks and commits; this much is looked at again."""


class Follower:
    """Finished calls as they reach the ledger, each once, in the order of their ends."""

    def __init__(self, source: Source, since: datetime, filters: Filters | None = None) -> None:
        """`since`: UTC; calls that ended before are not shown. Raises BadQuestion."""
        self._source = source
        self._since = since
        self._reached = since
        self._filters = involved(filters)
        self._seen: dict[tuple[str, int], datetime] = {}

    def fresh(self) -> list[Row]:
        """What has come since the last time. Columns: LISTED, OUTCOME."""
        start = max(self._since, self._reached - OVERLAP)
        where = every([Condition("ended_at >= ?::TIMESTAMP", (moment(start),)), *self._filters])
        sql = f"""SELECT {LISTED}, {OUTCOME} FROM ai_call_logs WHERE {where.sql}
ORDER BY ended_at, sidecar_id, seq"""  # noqa: S608 - pieces of this package, no values
        rows = self._source.table(sql, where.params).to_pylist()
        new = [row for row in rows if (row["sidecar_id"], row["seq"]) not in self._seen]
        self._seen = {(row["sidecar_id"], row["seq"]): row["ended_at"] for row in rows}
        if rows:
            self._reached = max(self._reached, rows[-1]["ended_at"].replace(tzinfo=self._since.tzinfo))
        return new

"""Calls one by one: lists in pages, one call with all that is known of it, and the newest as they come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from analytics.answering import Source
from analytics.dimensions import OF_TARGET, narrow
from analytics.period import Period
from analytics.question import Condition, Filters, Parameter, Question, every, moment, one_of, within
from taximeter import fallbacks

Row = dict[str, Any]

LISTED = """sidecar_id, seq, call_id, started_at, started_ns, status, alias, operation, streamed, provider, model,
 attempts, workspace, caller, request_id, conversation_id, trace_id"""
"""Columns of a call that are known from its start on."""
OUTCOME = """ended_at, duration_ms, time_to_first_token_ms, input_tokens, cache_read_tokens, output_tokens,
 reasoning_tokens, usage_source, priced, cost_usd, cost_at_risk_usd, maybe_billed, error_type, fallback_used,
 fallback_reason, overhead_us"""
"""Columns that are NULL until a call is finished."""
ALWAYS = Condition("true")
SEARCHED = ("call_id", "request_id", "conversation_id", "trace_id")
_ORDER = "ORDER BY started_at DESC, started_ns DESC, sidecar_id DESC, seq DESC LIMIT ?"
"""Begins with a column as it is stored: so the ledger looks at the newest calls alone."""
_OPEN = "(SELECT *, '' AS error_type, '' AS fallback_reason FROM ai_open_calls)"
_STEPS = (timedelta(days=1), timedelta(days=8))
"""How far back a list is looked for at first: rare ones are the only ones to need all of a long period."""
_ABOUT = timedelta(hours=1)
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(f"[0-7][{_DIGITS}]{{25}}")
_SOONEST, _LATEST = timedelta(days=1), timedelta(days=2)
"""An attempt's start about its call's, see analytics.facts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Just after a call in a list: where the next page begins."""

    started_ns: int
    sidecar_id: str
    seq: int

    @classmethod
    def of(cls, row: Row) -> Place:
        return cls(row["started_ns"], row["sidecar_id"], row["seq"])


def involved(filters: Filters | None, tried: Condition = ALWAYS) -> list[Condition]:
    """Conditions on calls. A provider, model or key is one that the call went to, whoever answered it in the end.

    `tried`: what is known of the attempts' starts. Raises BadQuestion."""
    return [
        _went_to(name, wanted, tried) if name in OF_TARGET else narrow(name, wanted)
        for name, wanted in (filters or {}).items()
    ]


def _went_to(name: str, wanted: str | Sequence[str], tried: Condition) -> Condition:
    there = one_of(OF_TARGET[name], wanted)
    sql = f"""({there.sql} OR (sidecar_id, seq) IN
 (SELECT (sidecar_id, seq) FROM ai_call_attempts WHERE {there.sql} AND {tried.sql}))"""  # noqa: S608 - a column's name
    return Condition(sql, (*there.params, *there.params, *tried.params))


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
    tried = within(start - _SOONEST, end + _LATEST)
    asked = [within(start, end), *involved(filters, tried)]
    if search.strip():
        asked.append(_found(search.strip()))
    if after:
        place: tuple[Parameter, ...] = (after.started_ns // 1000, after.started_ns, after.sidecar_id, after.seq)
        asked.append(Condition("started_at <= make_timestamp(?) AND (started_ns, sidecar_id, seq) < (?, ?, ?)", place))
    where = every(asked)
    sql = f"""(SELECT {LISTED}, {OUTCOME} FROM ai_call_logs WHERE {where.sql} {_ORDER})
UNION ALL BY NAME (SELECT {LISTED} FROM {_OPEN} WHERE {where.sql} {_ORDER}) {_ORDER}"""  # noqa: S608 - no values
    return Question(sql, (*where.params, limit, *where.params, limit, limit))


def newest(
    source: Source, span: Period, filters: Filters | None = None, search: str = "", limit: int = 100
) -> pa.Table:
    """The period's last calls as `calls_question` has them, looked for from its end back. Raises BadQuestion.

    The whole of a call's id is looked for about the time that it names, and elsewhere only if it is not there."""

    def found(start: datetime, end: datetime) -> pa.Table:
        question = calls_question(start, end, filters, search=search, limit=limit)
        return source.table(question.sql, question.params)

    named = begun(search)
    if named and span.start <= named < span.end:
        rows = found(max(span.start, named - _ABOUT), min(span.end, named + _ABOUT))
        if rows.num_rows:
            return rows
    for start in (span.end - step for step in _STEPS if span.end - step > span.start):
        rows = found(start, span.end)
        if rows.num_rows >= limit:
            return rows
    return found(span.start, span.end)


def begun(call_id: str) -> datetime | None:
    """When the call of this id (a ULID) began, UTC; None for anything else, and for parts of one."""
    text = call_id.strip().upper()
    if not _ULID.fullmatch(text):
        return None
    elapsed_ms = sum(_DIGITS.index(digit) << 5 * place for place, digit in enumerate(reversed(text[:10])))
    try:
        return datetime.fromtimestamp(elapsed_ms / 1e3, UTC)
    except (ValueError, OverflowError):
        return None


def _found(text: str) -> Condition:
    sql = " OR ".join(f"contains(lower({column}), lower(?))" for column in SEARCHED)
    return Condition(f"({sql})", (text,) * len(SEARCHED))


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

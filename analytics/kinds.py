"""The kinds of the ledger's sums: where their rows stand, and what they can be narrowed and grouped by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from analytics.dimensions import Dimension, tag_key
from analytics.question import BadQuestion, Condition, one_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows that are to be summed, of things and of whole days."""

    name: str
    summed: str
    """View of whole days, or hours."""
    facts: str
    """View of the things themselves."""
    row: str
    """Of a fact, the columns that the sums have."""
    columns: Mapping[str, Sequence[str]]
    """Filter -> the columns of which any may have the value."""
    tagged: bool = False
    joined: bool = False
    """Made of calls and attempts: bounds on the attempts' own start, too, spare reading those of other days."""
    by: str = "day"
    step: timedelta = DAY

    @property
    def known(self) -> tuple[str, ...]:
        """What it can be narrowed by."""
        return (*self.columns, *(["tag:<key>"] if self.tagged else []))

    def knows(self, name: str) -> bool:
        """Whether it can be narrowed by this. Raises BadQuestion for a tag that cannot be."""
        return name in self.columns or (self.tagged and tag_key(name) is not None)

    def condition(self, name: str, wanted: str | Sequence[str]) -> Condition:
        """Rows with one of the `wanted` values. Raises BadQuestion."""
        if not self.knows(name):
            raise self._unknown(name)
        if key := tag_key(name):
            return one_of(_TAG, wanted, (key,))
        either = [one_of(_text(column), wanted) for column in self.columns[name]]
        sql = " OR ".join(each.sql for each in either)
        return Condition(f"({sql})", tuple(value for each in either for value in each.params))

    def dimension(self, name: str) -> Dimension:
        """To group by: text, "" where it is not known; month, week and day are DATEs, hour and minute TIMESTAMPs.

        Hours are in HOURLY and, as minutes are, in facts alone (analytics.facts.timed). Raises BadQuestion."""
        if time := (_TIMES if self.by == "day" else _HOUR).get(name):
            return Dimension(name, time)
        if not self.knows(name) or len(self.columns.get(name, ("",))) > 1:
            raise self._unknown(name)
        if key := tag_key(name):
            return Dimension(name, _TAG, (key,))
        return Dimension(name, _text(self.columns[name][0]))

    def _unknown(self, name: str) -> BadQuestion:
        return BadQuestion(f"{self.name} are not known by {name!r}; they are by: {', '.join(self.known)}")


_TAG = "coalesce(tags[?], '')"
_TIMES = {
    "month": "CAST(date_trunc('month', day) AS DATE)",
    "week": "CAST(date_trunc('week', day) AS DATE)",
    "day": "day",
    "hour": "date_trunc('hour', started_at)",
    "minute": "date_trunc('minute', started_at)",
}
_HOUR = {"hour": "hour"}
"""Of what is summed by the hour."""


def _text(column: str) -> str:
    """true, false; numbers; "" for what is not known."""
    return f"coalesce(CAST({column} AS VARCHAR), '')" if column in _NO_TEXT else column


_NO_TEXT = frozenset({"streamed", "http_status", "prompt_class"})


def _named(names: str, **others: str) -> dict[str, Sequence[str]]:
    """Filters by the names of their columns, and `others` of another name."""
    return {name: (name,) for name in names.split()} | {name: columns.split() for name, columns in others.items()}


_DAYS = "* EXCLUDE (started_at)"
_JOINED_DAYS = "* EXCLUDE (started_at, tried_at)"
_USED = """attempts, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd,
 cost_at_risk_usd"""
_CALL_HOURS = f"""date_trunc('hour', started_at) AS hour, workspace, alias, operation, provider, status, error_type,
 calls, fallbacks, model, {_USED}, unpriced_calls, estimated_calls"""
_ATTEMPT_HOURS = f"""date_trunc('hour', started_at) AS hour, workspace, alias, operation, call_status, provider, model,
 error_type, {_USED}, unpriced_attempts, estimated_attempts"""

CALLS = Kind("calls", "ai_call_days", "ai_call_facts", _DAYS, _named(
    "alias workspace caller task operation streamed status error_type fallback_reason provider model key_owner",
    key="key_id"), tagged=True)  # fmt: skip
ATTEMPTS = Kind("attempts", "ai_attempt_days", "ai_attempt_facts", _JOINED_DAYS, _named(
    "alias workspace caller operation streamed error_type provider model key_owner http_status prompt_class",
    key="key_id", status="call_status", attempt_status="status"), tagged=True, joined=True)  # fmt: skip
COSTS = Kind("costs", "ai_cost_days", "ai_cost_facts", _JOINED_DAYS, _named(
    "alias workspace caller operation provider provider_type model key_owner meter price_source price_version"
    " usage_source", key="key_id"), tagged=True, joined=True)  # fmt: skip
LATENCIES = Kind("latencies", "ai_latency_days", "ai_latency_facts", _JOINED_DAYS, _named(
    "alias workspace operation provider model measure prompt_class"), joined=True)  # fmt: skip
FALLBACKS = Kind("fallbacks", "ai_fallback_days", "ai_fallback_facts", _JOINED_DAYS, _named(
    "alias workspace caller operation status reason from_provider from_model to_provider to_model",
    provider="from_provider to_provider", model="from_model to_model"), joined=True)  # fmt: skip
HOURS = Kind("hours", "ai_call_hours", "ai_call_facts", _CALL_HOURS, _named(
    "alias workspace operation status error_type provider model"), by="hour", step=HOUR)  # fmt: skip
ATTEMPT_HOURS = Kind("attempt hours", "ai_attempt_hours", "ai_attempt_facts", _ATTEMPT_HOURS, _named(
    "alias workspace operation error_type provider model", status="call_status"),
    joined=True, by="hour", step=HOUR)  # fmt: skip

KINDS = {kind.name: kind for kind in (CALLS, ATTEMPTS, COSTS, LATENCIES, FALLBACKS, HOURS, ATTEMPT_HOURS)}
HOURLY: Mapping[str, Kind] = {CALLS.name: HOURS, ATTEMPTS.name: ATTEMPT_HOURS}
"""Kind -> the same by the hour, with fewer dimensions."""

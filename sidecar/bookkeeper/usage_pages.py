"""Pages of usage. Rows come in the order of their groups, and a page begins behind the last group of the one before:
calls that are booked in between neither repeat a row nor hide one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from analytics.dimensions import label, tag_key
from analytics.question import BadQuestion, Question
from sidecar.core.faults import Refusal, RefusalReason
from taximeter.v1 import usage_pb2

DEFAULT_SIZE = 100
MAX_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer. [start, end), UTC."""

    start: datetime
    end: datetime
    group_by: tuple[str, ...]
    size: int
    request: str
    """Digest of what was asked: a token fits its own question only."""
    after: tuple[str, ...] | None
    """Group of the last row of the page before."""


def asked(request: usage_pb2.QueryUsageRequest, now: datetime) -> Page:
    """A period without an end ends now, on every page at the same moment. Raises Refusal."""
    start, end = period(request.period, now)
    if request.page_size < 0:
        raise invalid("page_size", "must not be negative")
    names = [*map(_dimension, request.group_by), *map(_tag, request.group_by_tags)]
    group_by = tuple(dict.fromkeys(names))
    digest = _digest(request)
    until, after = _token(request.page_token, digest, len(group_by)) if request.page_token else (None, None)
    return Page(
        start=start,
        end=until or end,
        group_by=group_by,
        size=min(request.page_size or DEFAULT_SIZE, MAX_SIZE),
        request=digest,
        after=after,
    )


def period(asked_for: usage_pb2.Period, now: datetime) -> tuple[datetime, datetime]:
    """[start, end), UTC. Raises Refusal."""
    if not asked_for.HasField("start"):
        raise invalid("period.start", "required")
    start = _moment(asked_for.start, "period.start")
    return start, _moment(asked_for.end, "period.end") if asked_for.HasField("end") else now


def _moment(told: Timestamp, field: str) -> datetime:
    """Raises Refusal: a Timestamp has room for what is no time."""
    try:
        return told.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "is no time between the years 1 and 9999") from None


def question(page: Page, sums: Question) -> Question:
    """`sums`, a page of it and one row more."""
    keys = [f'CAST("{name}" AS VARCHAR)' for name in page.group_by]
    order = f" ORDER BY {', '.join(keys)}" if keys else ""
    behind = f" WHERE ({', '.join(keys)}) > ({', '.join('?' * len(keys))})" if keys and page.after else ""
    return Question(
        f"SELECT * FROM ({sums.sql}){behind}{order} LIMIT {page.size + 1}",  # noqa: S608 - names from our own list
        (*sums.params, *(page.after or ())),
    )


def next_token(page: Page, rows: Sequence[dict[str, Any]]) -> str:
    """Empty after the last page."""
    if len(rows) <= page.size or not page.group_by:
        return ""
    last = [_key(rows[page.size - 1][name]) for name in page.group_by]
    told = json.dumps([page.request, page.end.isoformat(), last], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode()


def invalid(field: str, problem: str) -> Refusal:
    return Refusal(
        "INVALID_ARGUMENT",
        RefusalReason.INVALID_REQUEST,
        f"{field}: {problem}",
        field_violations=((field, problem),),
    )


def _key(value: Any) -> str:
    """As DuckDB casts it to text: that is what the next page compares."""
    return str(value) if isinstance(value, datetime) else label(value)


def _dimension(value: usage_pb2.UsageDimension.ValueType) -> str:
    if value == usage_pb2.USAGE_DIMENSION_UNSPECIFIED or value not in usage_pb2.UsageDimension.values():
        raise invalid("group_by", f"there is no dimension {value}")
    return usage_pb2.UsageDimension.Name(value).removeprefix("USAGE_DIMENSION_").lower()


def _tag(key: str) -> str:
    try:
        tag_key(name := f"tag:{key}")
    except BadQuestion as error:
        raise invalid("group_by_tags", str(error)) from None
    return name


def _digest(request: usage_pb2.QueryUsageRequest) -> str:
    """Of everything but the page."""
    asked_for = usage_pb2.QueryUsageRequest(
        period=request.period,
        group_by=request.group_by,
        group_by_tags=request.group_by_tags,
        filters=dict(sorted(request.filters.items())),
    )
    return hashlib.sha256(asked_for.SerializeToString(deterministic=True)).hexdigest()[:16]


def _token(text: str, digest: str, dimensions: int) -> tuple[datetime, tuple[str, ...]]:
    """Raises Refusal: anybody can write one."""
    try:
        own, end, after = json.loads(base64.urlsafe_b64decode(text.encode()))
        until, group = datetime.fromisoformat(end).astimezone(UTC), tuple(str(each) for each in after)
        "".join(group).encode()
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise invalid("page_token", "not a token of this service") from None
    if own != digest or len(group) != dimensions:
        raise invalid("page_token", "belongs to another question: ask again without it")
    return until, group

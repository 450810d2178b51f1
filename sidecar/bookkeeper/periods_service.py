"""BillingService: periods listed for whom the sidecar names, and closed in the name of whom it names."""
# ruff: noqa: N802 - the methods are named by the service

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from analytics.charges import month_of
from analytics.question import BadQuestion
from sidecar.bookkeeper import ledger_periods, usage_pages, usage_service
from sidecar.bookkeeper.answering import Asking, Context, told
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger_periods import Closing, Moment, NotClosable
from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal, RefusalReason
from taximeter.v1 import billing_pb2 as pb
from taximeter.v1 import billing_pb2_grpc

ACTOR_KEY = "taximeter-actor"


class BillingService(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self, asking: Asking, progress: Callable[[], Progress], clock: Clock) -> None:
        self._asking = asking
        self._progress = progress
        self._clock = clock

    def ListPeriods(self, request: pb.ListPeriodsRequest, context: Context) -> pb.ListPeriodsResponse:
        with told(context):
            across = usage_service.across(context)
            everybody = across and not request.workspace_id
            own = usage_service.workspace(context)
            asked = usage_service.ALL if everybody else request.workspace_id or own
            filters = usage_service.bound({"workspace": asked}, own, across=across)
            question = ledger_periods.periods_question(filters)
            rows = self._asking.rows(question.sql, question.params, context)
            return pb.ListPeriodsResponse(periods=[_listed(row, whole=everybody) for row in rows])
        raise AssertionError("told aborts")

    def ClosePeriod(self, request: pb.ClosePeriodRequest, context: Context) -> pb.ClosePeriodResponse:
        with told(context):
            at = self._moment()
            try:
                month = month_of(request.month)
                if request.dry_run:
                    found = ledger_periods.expected(self._asking.ledger, month, at, force=request.force)
                    return pb.ClosePeriodResponse(period=_closing(found))
                who = _actor(context)
                found = ledger_periods.close(self._asking.ledger, month, who, at, force=request.force)
            except BadQuestion as wrong:
                raise usage_pages.invalid("month", str(wrong)) from None
            except NotClosable as why:
                raise Refusal("FAILED_PRECONDITION", RefusalReason.PERIOD_NOT_CLOSABLE, f"{why}.") from None
            period = _closing(found)
            period.closed = True
            period.closed_by = who
            period.closed_at.CopyFrom(_timestamp(at.now))
            return pb.ClosePeriodResponse(period=period)
        raise AssertionError("told aborts")

    def _moment(self) -> Moment:
        now = datetime.fromtimestamp(self._clock.wall_ns() // 1_000_000_000, UTC)
        return Moment(now, now - timedelta(seconds=self._progress().lag_s))


def _actor(context: Context) -> str:
    """Raises Refusal: what is closed was closed by someone."""
    found = [str(value) for key, value in context.invocation_metadata() if key == ACTOR_KEY]
    if not found:
        raise Refusal("UNAUTHENTICATED", RefusalReason.UNAUTHENTICATED, f"Ask the sidecar, which adds {ACTOR_KEY}.")
    return found[0]


def _closing(found: Closing) -> pb.BillingPeriod:
    return pb.BillingPeriod(
        month=f"{found.month:%Y-%m}",
        cost_usd=f"{found.cost_usd:.12f}",
        corrections_usd=f"{found.corrections_usd:.12f}",
        rows=found.rows,
        sha256=found.sha256,
    )


def _listed(row: dict[str, Any], *, whole: bool) -> pb.BillingPeriod:
    """`whole`: of all workspaces, of which alone the file's rows and hash tell."""
    closed = row["closed_at"] is not None
    period = pb.BillingPeriod(
        month=f"{row['month']:%Y-%m}",
        closed=closed,
        cost_usd=f"{row['cost_usd']:.12f}",
        corrections_usd=f"{row['corrections_usd']:.12f}",
    )
    if closed:
        period.closed_at.CopyFrom(_timestamp(row["closed_at"].replace(tzinfo=UTC)))
        period.closed_by = row["closed_by"] if whole else ""
    if closed and whole:
        period.rows, period.sha256 = row["row_count"], row["sha256"]
    return period


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp

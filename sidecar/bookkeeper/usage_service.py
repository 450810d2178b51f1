"""UsageService: named questions about one workspace, which the sidecar (never the request) names in the metadata.

Whom it says to see all workspaces may name another one in the filters, or "*" for all of them.
"""
# ruff: noqa: N802 - the methods are named by the service

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analytics.dimensions import label
from analytics.question import BadQuestion, Question
from analytics.usage import approximate, usage_question
from sidecar.bookkeeper import usage_call, usage_pages
from sidecar.bookkeeper.answering import Asking, Context, cut, told
from sidecar.bookkeeper.usage_pages import Page
from sidecar.core.faults import Refusal, RefusalReason
from taximeter.v1 import usage_pb2, usage_pb2_grpc

if TYPE_CHECKING:
    from analytics.formats import Format

WORKSPACE_KEY = "taximeter-workspace"
ACROSS_KEY = "taximeter-across"
ALL = "*"
_COUNTS = ("calls", "errors", "fallbacks", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens",
           "unpriced_calls", "estimated_calls")  # fmt: skip


# A place as one number: the segment above, the byte offset in the lower 32 bits.
_POSITION = Question("SELECT sidecar_id, segment << 32 | byte_offset AS place FROM ledger_positions")


class UsageService(usage_pb2_grpc.UsageServiceServicer):
    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def QueryUsage(self, request: usage_pb2.QueryUsageRequest, context: Context) -> usage_pb2.QueryUsageResponse:
        with told(context):
            filters = bound(request.filters, workspace(context), across=across(context))
            page = usage_pages.asked(request, datetime.now(UTC))
            found = self._rows(usage_pages.question(page, _sums(page, page.group_by, filters)), context)
            (total,) = self._rows(_sums(page, (), filters), context)
            return usage_pb2.QueryUsageResponse(
                rows=[_row(row, page.group_by) for row in found[: page.size]],
                next_page_token=usage_pages.next_token(page, found),
                total=_row(total, ()),
                approximate=any(approximate(page.start, page.end, by, filters) for by in (page.group_by, ())),
            )
        raise AssertionError("told aborts")

    def GetCall(self, request: usage_pb2.GetCallRequest, context: Context) -> usage_pb2.GetCallResponse:
        with told(context):
            own = None if across(context) else workspace(context)
            found = usage_call.find(lambda question: self._rows(question, context), request.call_id, own)
            if found is None:
                raise Refusal(
                    "NOT_FOUND",
                    RefusalReason.CALL_NOT_FOUND,
                    f"There is no call {request.call_id!r} in this workspace. A call shows here within a second.",
                )
            return found
        raise AssertionError("told aborts")

    def ExportUsage(
        self, request: usage_pb2.ExportUsageRequest, context: Context
    ) -> Iterator[usage_pb2.ExportUsageResponse]:
        from analytics.exports import Written, pieces  # polars takes its time to load
        from sidecar.bookkeeper import export_layouts

        with told(context):
            filters = bound(request.filters, workspace(context), across=across(context))
            start, end = usage_pages.period(request.period, datetime.now(UTC))
            form = _format(request.format)
            with _valid_filters():
                asked = export_layouts.asked(request.layout, start, end, filters)
            # Before the calls: the file has at least what is recorded up to there.
            position = {row["sidecar_id"]: row["place"] for row in self._rows(_POSITION, context)}
            written = Written(asked.layout)
            batches = self._asking.batches(asked.rows.sql, asked.rows.params, context, any_size=True)
            for piece in pieces(batches, form, written):
                for part in cut(piece):
                    yield usage_pb2.ExportUsageResponse(data=part)
            manifest = asked.manifest(written, lambda question: self._rows(question, context))
            manifest.ledger_position.update(position)
            yield usage_pb2.ExportUsageResponse(manifest=manifest)

    def _rows(self, question: Question, context: Context) -> list[dict[str, Any]]:
        return self._asking.rows(question.sql, question.params, context)


def workspace(context: Context) -> str:
    """Of the caller, as the sidecar authenticated it. Raises Refusal."""
    found = [value for key, value in context.invocation_metadata() if key == WORKSPACE_KEY]
    if len(found) != 1 or not found[0]:
        raise Refusal(
            "UNAUTHENTICATED",
            RefusalReason.UNAUTHENTICATED,
            f"No workspace: ask the sidecar, which adds {WORKSPACE_KEY} to a call that it has authenticated.",
        )
    return str(found[0])


def across(context: Context) -> bool:
    """Whether the sidecar lets this caller see other workspaces."""
    return any(key == ACROSS_KEY for key, _ in context.invocation_metadata())


def bound(filters: Mapping[str, str], own: str, *, across: bool) -> dict[str, str]:
    """`filters`, bound to the caller's workspace, or to what they name if the caller sees all. Raises Refusal."""
    asked = filters.get("workspace", own)
    if across:
        others = {name: value for name, value in filters.items() if name != "workspace"}
        return others if asked == ALL else {**others, "workspace": asked}
    if asked != own:
        raise Refusal(
            "PERMISSION_DENIED",
            RefusalReason.WORKSPACE_MISMATCH,
            f"This token is for workspace {own!r}, not for {filters['workspace']!r}.",
        )
    return {**filters, "workspace": own}


def _sums(page: Page, group_by: tuple[str, ...], filters: Mapping[str, str]) -> Question:
    with _valid_filters():
        return usage_question(page.start, page.end, group_by, filters)
    raise AssertionError("valid or refused")


@contextmanager
def _valid_filters() -> Iterator[None]:
    try:
        yield
    except BadQuestion as error:
        raise usage_pages.invalid("filters", str(error)) from None


def _format(asked: usage_pb2.ExportFormat.ValueType) -> Format:
    from analytics.formats import Format

    known = {
        usage_pb2.EXPORT_FORMAT_CSV: Format.CSV,
        usage_pb2.EXPORT_FORMAT_PARQUET: Format.PARQUET,
        usage_pb2.EXPORT_FORMAT_JSON_LINES: Format.JSON_LINES,
    }
    if asked not in known:
        raise usage_pages.invalid("format", "required: CSV, PARQUET or JSON_LINES")
    return known[asked]


def _row(row: Mapping[str, Any], group_by: tuple[str, ...]) -> usage_pb2.UsageRow:
    return usage_pb2.UsageRow(
        group={name: label(row[name]) for name in group_by},
        **{name: row[name] for name in _COUNTS},
        cost_usd="" if row["cost_usd"] is None else f"{row['cost_usd']:.12f}",
        p50_ms=row["p50_ms"] or 0.0,
        p95_ms=row["p95_ms"] or 0.0,
        p99_ms=row["p99_ms"] or 0.0,
    )

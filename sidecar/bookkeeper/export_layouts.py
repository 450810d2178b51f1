"""What ExportUsage puts into a file: calls, or billing rows as FOCUS has them; and what the manifest says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analytics.charges import months
from analytics.exports import CALLS, Layout, Written, export_question
from analytics.focus import Version, focus_question, unpriced_question
from analytics.focus_columns import layout
from analytics.question import BadQuestion, Question
from sidecar.bookkeeper import usage_pages
from taximeter.v1 import usage_pb2 as pb

_FOCUS = {pb.EXPORT_LAYOUT_FOCUS_1_2: Version.V1_2, pb.EXPORT_LAYOUT_FOCUS_1_4: Version.V1_4}
Answer = Callable[[Question], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Asked:
    layout: Layout
    rows: Question
    manifest: Callable[[Written, Answer], pb.ExportManifest]
    """Of the whole file, but for the ledger's position."""


def asked(wanted: pb.ExportLayout.ValueType, start: datetime, end: datetime, filters: Mapping[str, str]) -> Asked:
    """Raises Refusal (layout, period), BadQuestion (filters)."""
    if wanted in _FOCUS:
        return _focus(_FOCUS[wanted], start, end, filters)
    if wanted not in {pb.EXPORT_LAYOUT_UNSPECIFIED, pb.EXPORT_LAYOUT_CALLS}:
        raise usage_pages.invalid("layout", f"there is no layout {wanted}")
    return Asked(CALLS, export_question(start, end, filters), _calls)


def _calls(written: Written, _ask: Answer) -> pb.ExportManifest:
    return pb.ExportManifest(
        rows=written.rows,
        cost_usd=f"{written.cost_usd:.12f}",
        unpriced_calls=written.unpriced_calls,
        estimated_calls=written.estimated_calls,
        sha256=written.sha256,
    )


def _focus(version: Version, start: datetime, end: datetime, filters: Mapping[str, str]) -> Asked:
    try:
        first, behind = months(start, end, datetime.now(UTC))
    except BadQuestion as error:
        raise usage_pages.invalid("period", str(error)) from None
    unpriced = unpriced_question(first, behind, filters)

    def manifest(written: Written, ask: Answer) -> pb.ExportManifest:
        (without,) = ask(unpriced)
        return pb.ExportManifest(
            rows=written.rows,
            cost_usd=f"{written.sums['BilledCost']:.12f}",
            unpriced_calls=without["calls"],
            unpriced_tokens=without["tokens"],
            estimated_calls=written.counts["estimated"],
            sha256=written.sha256,
        )

    return Asked(layout(version), focus_question(first, behind, version, filters), manifest)

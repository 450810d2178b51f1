"""Anthropic's cost and usage reports.

API: https://platform.claude.com/docs/en/api/admin/cost_report/retrieve (`amount` in cents, as a decimal string) and
https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages (input that was not cached, written to the
cache and read from it apart; no count of requests). The Console's exports (https://platform.claude.com/usage, /cost)
are by day: costs rounded to the cent a line, models by their names ("Claude Haiku 4.5"), usage by their versions.
"""

from __future__ import annotations

import re
from decimal import Decimal

from analytics.reconcile_lines import Billed, CsvForm, Fields, JsonForm, amount, day_of, usd, whole

_CENT = Decimal("0.01")
_COMMON = r"workspace|api_key|api_key_id|api_key_status|usage_type|context_window|inference_geo|speed|service_tier"


def _cost(bucket: Fields, result: Fields) -> Billed:
    return Billed(
        day_of(bucket["starting_at"], "starting_at"),
        result.get("model") or result.get("description") or "",
        cost_usd=usd(result["amount"], result.get("currency"), "amount") * _CENT,
    )


def _usage(bucket: Fields, result: Fields) -> Billed:
    written = result.get("cache_creation") or {}
    counts = {
        "uncached_input_tokens": result.get("uncached_input_tokens"),
        "cache_read_input_tokens": result.get("cache_read_input_tokens"),
        **{name: written.get(name) for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")},
    }
    return Billed(
        day_of(bucket["starting_at"], "starting_at"),
        result.get("model") or "",
        input_tokens=sum(whole(value, name) for name, value in counts.items()),
        output_tokens=whole(result.get("output_tokens"), "output_tokens"),
    )


def _cost_row(row: Fields) -> Billed:
    day = day_of(row["usage_date_utc"], "usage_date_utc")
    return Billed(day, row["model"], cost_usd=amount(row["cost_usd"], "cost_usd"))


def _usage_row(row: Fields) -> Billed:
    inputs = [name for name in row if name.startswith("usage_input_tokens_")]
    return Billed(
        day_of(row["usage_date_utc"], "usage_date_utc"),
        row["model_version"],
        input_tokens=sum(whole(row[name], name) for name in inputs),
        output_tokens=whole(row["usage_output_tokens"], "usage_output_tokens"),
    )


CSV = (
    CsvForm(
        "Anthropic costs (Console)",
        "anthropic",
        frozenset({"usage_date_utc", "model", "cost_usd"}),
        re.compile(rf"{_COMMON}|token_type|list_price_usd|cost_type"),
        _cost_row,
        _CENT,
    ),
    CsvForm(
        "Anthropic usage (Console)",
        "anthropic",
        frozenset({"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"}),
        re.compile(rf"{_COMMON}|usage_input_tokens_cache_(read|write(_5m|_1h)?)|web_search_count"),
        _usage_row,
    ),
)
JSON = (
    JsonForm(
        "Anthropic cost report (API)",
        "anthropic",
        lambda result: "amount" in result and "currency" in result and "object" not in result,
        "Anthropic costs: pages of GET /v1/organizations/cost_report",
        _cost,
    ),
    JsonForm(
        "Anthropic usage report (API)",
        "anthropic",
        lambda result: "uncached_input_tokens" in result,
        "Anthropic usage: pages of GET /v1/organizations/usage_report/messages",
        _usage,
    ),
)

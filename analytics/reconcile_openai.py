"""OpenAI's costs and usage.

API: https://platform.openai.com/docs/api-reference/usage (costs: `amount.value` in `amount.currency` by UTC day,
`line_item` as "gpt-4o-2024-08-06, input"; usage of completions, embeddings, moderations: `input_tokens` has the cached
ones, `num_model_requests`). The dashboard's exports (https://platform.openai.com/usage) have the same names, flat, with
`start_time` in Unix seconds; a day without anything is a line with empty cells.
"""

from __future__ import annotations

import re

from analytics.reconcile_lines import Billed, CsvForm, Fields, JsonForm, day_of, usd, whole

COSTS_OBJECT = "organization.costs.result"
USAGE = {
    "organization.usage.completions.result": ("chat", "completion"),
    "organization.usage.embeddings.result": ("embedding",),
    "organization.usage.moderations.result": ("moderation",),
}
"""A result's `object` -> the operations of the ledger that it covers."""


def _cost(bucket: Fields, result: Fields) -> Billed | None:
    money = result.get("amount") or {}
    if money.get("value") is None:
        return None
    return Billed(
        day_of(bucket["start_time"], "start_time"),
        _model(result.get("line_item")),
        cost_usd=usd(money["value"], money.get("currency"), "amount"),
    )


def _usage(bucket: Fields, result: Fields) -> Billed:
    return Billed(
        day_of(bucket["start_time"], "start_time"),
        result.get("model") or "",
        calls=whole(result.get("num_model_requests"), "num_model_requests"),
        input_tokens=whole(result.get("input_tokens"), "input_tokens"),
        output_tokens=whole(result.get("output_tokens"), "output_tokens"),
    )


def _cost_row(row: Fields) -> Billed | None:
    if not row["amount_value"]:
        return None
    money = usd(row["amount_value"], row["amount_currency"], "amount_value")
    return Billed(day_of(row["start_time"], "start_time"), _model(row.get("line_item")), cost_usd=money)


def _usage_row(row: Fields) -> Billed | None:
    return _usage(row, row) if row["num_model_requests"] else None


def _model(line_item: str | None) -> str:
    """Of "gpt-4o-2024-08-06, input", the model."""
    return (line_item or "").partition(",")[0].strip()


CSV = (
    CsvForm(
        "OpenAI costs (dashboard)",
        "openai",
        frozenset({"start_time", "amount_value", "amount_currency"}),
        re.compile(
            r"end_time|(start|end)_time_iso|quantity(_unit)?|line_item|api_source|user_email"
            r"|(user|api_key|project|organization)_(id|name)"
        ),
        _cost_row,
    ),
    CsvForm(
        "OpenAI usage (dashboard)",
        "openai",
        frozenset({"start_time", "num_model_requests", "model", "input_tokens", "output_tokens"}),
        re.compile(
            r"end_time|(start|end)_time_iso|batch|service_tier|user_email|(input|output)_\w+"
            r"|(user|api_key|project|organization)_(id|name)"
        ),
        _usage_row,
        operations=USAGE["organization.usage.completions.result"],
    ),
)
JSON = (
    JsonForm(
        "OpenAI costs (API)",
        "openai",
        lambda result: result.get("object") == COSTS_OBJECT,
        "OpenAI costs: pages of GET /v1/organization/costs",
        _cost,
    ),
    *(
        JsonForm(
            f"OpenAI usage of {kind.split('.')[2]} (API)",
            "openai",
            lambda result, kind=kind: result.get("object") == kind,  # type: ignore[misc]
            f"OpenAI usage: pages of GET /v1/organization/usage/{kind.split('.')[2]}",
            _usage,
            operations,
        )
        for kind, operations in USAGE.items()
    ),
)

"""OpenRouter's activity: what was spent in credits, by UTC day and model.

API: https://openrouter.ai/docs/api-reference/analytics/get-activity (`usage` in USD; what was paid to a provider with
one's own key stands apart in `byok_usage_inference`, and is no part of OpenRouter's bill). Its page
(https://openrouter.ai/activity) exports by day ("Date, Slug, Usage, ...") or by generation (`cost_total`).
"""

from __future__ import annotations

import re

from analytics.reconcile_lines import Billed, CsvForm, Fields, JsonForm, amount, day_of, whole


def _activity(_: Fields, result: Fields) -> Billed:
    return Billed(
        day_of(result["date"], "date"),
        result.get("model_permaslug") or result.get("model") or "",
        calls=whole(result["requests"], "requests"),
        input_tokens=whole(result["prompt_tokens"], "prompt_tokens"),
        output_tokens=whole(result["completion_tokens"], "completion_tokens"),
        cost_usd=amount(result["usage"], "usage"),
    )


def _by_day(row: Fields) -> Billed:
    return Billed(
        day_of(row["Date"], "Date"),
        row["Slug"],
        calls=whole(row["Requests"], "Requests"),
        input_tokens=whole(row["Prompt Tokens"], "Prompt Tokens"),
        output_tokens=whole(row["Completion Tokens"], "Completion Tokens"),
        cost_usd=amount(row["Usage"], "Usage"),
    )


def _generation(row: Fields) -> Billed:
    return Billed(
        day_of(row["created_at"], "created_at"),
        row["model_permaslug"],
        calls=1,
        input_tokens=whole(row["tokens_prompt"], "tokens_prompt"),
        output_tokens=whole(row["tokens_completion"], "tokens_completion"),
        cost_usd=amount(row["cost_total"] or 0, "cost_total"),
    )


CSV = (
    CsvForm(
        "OpenRouter activity by day (export)",
        "openrouter",
        frozenset({"Date", "Slug", "Usage", "Requests", "Prompt Tokens", "Completion Tokens"}),
        re.compile(r"BYOK Usage|Reasoning Tokens|Provider|Endpoint"),
        _by_day,
    ),
    CsvForm(
        "OpenRouter generations (export)",
        "openrouter",
        frozenset({"created_at", "cost_total", "model_permaslug", "tokens_prompt", "tokens_completion"}),
        re.compile(
            r"generation_id|cost_\w+|byok_\w+|tokens_\w+|provider_name|variant|cancelled|streamed|user|finish_reason_\w+"
            r"|generation_time_ms|time_to_first_token_ms|api_key_\w+|app_name"
        ),
        _generation,
    ),
)
JSON = (
    JsonForm(
        "OpenRouter activity (API)",
        "openrouter",
        lambda result: "prompt_tokens" in result and "usage" in result and "date" in result,
        "OpenRouter activity: the answer of GET /api/v1/activity",
        _activity,
    ),
)

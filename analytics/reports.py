"""The reports that there are by name."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from analytics import costs, errors, fallbacks
from analytics.anomalies import anomalies
from analytics.answering import Source
from analytics.outlook import forecasts
from analytics.period import Period
from analytics.providers import compared
from analytics.question import BadQuestion, Filters
from analytics.report import BY, Report, columns, plain
from analytics.suggestions import suggestions


def _suggested(source: Source, span: Period, filters: Filters, _: str) -> pl.DataFrame:
    rows = [
        {
            "kind": each.kind,
            "title": each.title,
            "saves_usd": each.saves_usd,
            "saves_30d_usd": each.saves_30d_usd,
            "confidence": each.confidence,
            "arithmetic": "\n".join(each.arithmetic),
            "unknown": "not known: " + "; ".join(each.unknown),
            "evidence": " ".join(f"{name}={value}" for name, value in each.evidence.items()),
        }
        for each in suggestions(source, span, filters)
    ]
    return pl.DataFrame(rows, schema=_SUGGESTED)


_SUGGESTED: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("kind", "title"), pl.String),
    **dict.fromkeys(("saves_usd", "saves_30d_usd"), pl.Decimal(38, 12)),
    **dict.fromkeys(("confidence", "arithmetic", "unknown", "evidence"), pl.String),
}


def _budgets(source: Source, _: Period, filters: Filters, __: str) -> pl.DataFrame:
    """A budget has a window of its own, whatever the period."""
    unknown = sorted(filters.keys() - {"workspace"})
    if unknown:
        raise BadQuestion(f"budgets are not known by {unknown[0]!r}; they are by: workspace")
    wanted = filters.get("workspace")
    chosen = [wanted] if isinstance(wanted, str) else wanted
    told = forecasts(source)
    return told if chosen is None else told.filter(pl.col("workspace").is_in(list(chosen)))


_ALL = (
    Report(
        "fallbacks",
        "From which target to which calls moved on, why, and how many of them were answered after all.",
        columns("from_provider=from, from_model=from model, to_provider=to, to_model=to model, reason, "
                "moves=moves:count, rescue_rate=rescued:share, lost_ms=time lost:lasting, lost_usd=money lost"),
        plain(fallbacks.flows),
    ),
    Report(
        "rescue",
        "How often calls fell back, how many of those were answered after all, and what that took.",
        columns(f"{BY}, calls=calls:count, fallbacks=fallbacks:count, fallback_rate=of calls, rescued=rescued:count, "
                "rescue_rate=of those, lost_ms_mean=time lost each:ms, lost_usd=money lost"),
        lambda source, span, filters, by: fallbacks.rescue(source, span, filters, [by]),
        by="alias",
    ),
    Report(
        "reasons",
        "Why calls moved on to another target.",
        columns("reason, moves=moves:count, share, rescue_rate=rescued:share, lost_ms=time lost:lasting, "
                "lost_usd=money lost"),
        plain(fallbacks.reasons),
    ),
    Report(
        "errors",
        "Calls that were not answered although the caller waited, by what the caller was told.",
        columns("status, error_type=error, calls=calls:count, share=of errors, rate=of all calls"),
        plain(errors.by_type),
    ),
    Report(
        "provider-errors",
        "Attempts that failed, by what the provider did, whoever answered the call in the end.",
        columns(f"{BY}, error_type=error, http_status=http, failed=failed:count, attempts=of attempts:count, "
                "failure_rate=failure rate, share=of failures"),
        lambda source, span, filters, by: errors.by_provider(source, span, filters, [by]),
        by="provider",
    ),
    Report(
        "error-hours",
        "Calls and errors by the hour (UTC).",
        columns("hour=hour:time, calls=calls:count, errors=errors:count, error_rate"),
        plain(errors.by_hour),
    ),
    Report(
        "meters",
        "What was paid for, meter by meter; meters do not overlap.",
        columns("meter, quantity=quantity:count, unit, attempts=attempts:count, usd_per_million=per million:usd, "
                "cost_usd=cost, share"),
        plain(costs.by_meter),
    ),
    Report(
        "tokens",
        "Kinds of tokens, of all attempts, priced or not.",
        columns(f"{BY}, kind, tokens=tokens:count, share"),
        costs.token_mix,
        by="provider",
    ),
    Report(
        "cache",
        "How much of the input was read from the providers' caches, what that saved, and what writing to them cost.",
        columns("provider, model, input_tokens=input:count, read_tokens=read:count, written_tokens=written:count, "
                "hit_share=hits, saved_usd=saved, paid_more_usd=paid more, net_usd=net"),
        plain(costs.cache),
    ),
    Report(
        "provenance",
        "Where prices come from.",
        columns("price_source=source, price_version=version, attempts=attempts:count, cost_usd=cost, share"),
        plain(costs.provenance),
    ),
    Report(
        "doubts",
        "Money that is not certain: without a price, with estimated usage, or perhaps billed.",
        columns("doubt, provider, model, attempts=attempts:count, tokens=tokens:count, cost_usd=cost, "
                "cost_at_risk_usd=at risk"),
        plain(costs.doubts),
    ),
    Report(
        "top",
        "Who costs most, and how that has changed against the period before.",
        columns(f"{BY}, calls=calls:count, tokens=tokens:count, cost_usd=cost, share, previous_cost_usd=before, "
                "change=change:change"),
        lambda source, span, filters, by: costs.top(source, span, by, filters),
        by="caller",
    ),
    Report(
        "providers",
        "Two providers beside each other on like calls: same alias, operation and size of prompt.",
        columns("target=provider, against, attempts=attempts:count, success_share=success, p50_ms=p50, p95_ms=p95, "
                "usd_per_1k=1k answers:usd, usd_per_1m_tokens=1M tokens:usd, overlap=compared:share"),
        lambda source, span, filters, by: compared(source, span, filters, by=by),
        by="provider",
    ),
    Report(
        "anomalies",
        "Days that are unlike those before, by workspace and provider, and who moved most.",
        columns("day=day:day, workspace, provider, measure, score=score:number"),
        plain(anomalies),
        told=("explanation",),
    ),
    Report(
        "suggestions",
        "What would have cost less, with the arithmetic. None of it knows how good answers are.",
        columns("title, saves_usd=saves, saves_30d_usd=in 30 days, confidence"),
        _suggested,
        told=("arithmetic", "unknown"),
    ),
    Report(
        "budgets",
        "Budgets as they stand, and what they come to by the end of their windows; whatever the period.",
        columns("name=budget, workspace, scope, subject, window, unit, limit=limit:amount, spent=spent:amount, "
                "used_share=used, per_day=a day:amount, at_end=at the end:amount, low=low:amount, high=high:amount, "
                "exhausted_at=exhausted:time"),
        _budgets,
        empty="there are no budgets: `taximeter budgets create` makes one",
    ),
)  # fmt: skip
REPORTS: Mapping[str, Report] = {report.name: report for report in _ALL}


def report(name: str) -> Report:
    """By its name. Raises BadQuestion, which names those there are."""
    if name not in REPORTS:
        raise BadQuestion(f"there is no report {name!r}; there are: {', '.join(REPORTS)}")
    return REPORTS[name]

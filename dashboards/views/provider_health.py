"""How providers fare now: by what the running sidecar says, or said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import streamlit as st

from analytics import standing, words
from analytics.question import Filters
from dashboards import control, data, parts, running, said, tables
from dashboards import format as say

CIRCUIT = (
    "closed: calls go there. open: it failed so often that calls pass it over for some seconds. half open: one call is "
    "tried, and decides."
)
SUCCESS = "Share of its latest attempts that gave an answer, as this sidecar remembers them since its start."
LATELY = "Of its latest attempts, as this sidecar remembers them since its start."
COOLING = "The provider asked to wait: until then calls pass it over."
FOR_TOKENS = "**How providers fare now** is shown to those who sign in with a token of their workspace."
BLOCKED = "Why a call would pass it over now; empty: it would be tried."
ASIDE = "Keys that the provider has rejected of late, masked. They are tried again after a while."
LIMIT = "What is left of this minute's limit, as configured or as the provider's answers told last."
_SIGNS = {"closed": "✓ closed", "open": "✗ open", "half open": "◐ half open"}


def show(context: parts.Context, filters: Filters) -> None:
    """Targets and accounts with their state; who may not ask for them is told so."""
    if running.sees_operators(context):
        _health(context, filters)
    else:
        st.info(FOR_TOKENS, icon=":material/lock:")


def _health(context: parts.Context, filters: Filters) -> None:
    st.subheader("Now", anchor=False, help="As the running sidecar says it, whatever the period.")
    health, why = running.heard(context, control.health)
    if health is None:
        _last_said(context, why)
        return
    targets = [each for each in health.targets if _wanted(each.provider, each.model, filters)]
    accounts = [each for each in health.accounts if _wanted(each.provider, None, filters)]
    if not (targets or accounts):
        st.info("**No provider is set up, or none with these filters.** Add a key:", icon=":material/key:")
        st.code("taximeter keys add openai", language="shell")
        return
    _cards(accounts, targets)
    if targets:
        st.dataframe(pl.DataFrame([_target_row(each) for each in targets], infer_schema_length=None), hide_index=True,
                     placeholder="", column_config=_TARGETS, key="targets",
                     alt="Table of targets: circuit, success rate, latency, last error")  # fmt: skip
    else:
        st.caption("No call since this sidecar's start.")
    st.dataframe(pl.DataFrame([_account_row(each) for each in accounts], infer_schema_length=None), hide_index=True,
                 placeholder="", column_config=_ACCOUNTS, key="accounts",
                 alt="Table of providers as they are set up: state, limits, keys put aside")  # fmt: skip


def _wanted(provider: str, model: str | None, filters: Filters) -> bool:
    return all(
        name not in filters or value in filters[name]
        for name, value in (("provider", provider), ("model", model))
        if value is not None
    )


def _cards(accounts: Sequence[said.Account], targets: Sequence[said.Target]) -> None:
    usable = sum(each.state == "usable" for each in accounts)
    figures = {
        "Providers usable": (f"{usable} of {len(accounts)}", "Set up, with a key, and not switched off."),
        "Circuits open": (str(sum(each.circuit != "closed" for each in targets)), CIRCUIT),
        "Cooling down": (str(sum(_ahead(each.cooling_until) for each in targets)), COOLING),
        "Keys put aside": (str(sum(len(each.keys_aside) for each in accounts)), ASIDE),
    }
    with st.container(horizontal=True):
        for label, (value, meaning) in figures.items():
            st.metric(label, value, help=meaning, border=True, width="stretch")


def _ahead(at: datetime | None) -> bool:
    return at is not None and at > datetime.now(UTC)


def _target_row(target: said.Target) -> dict[str, Any]:
    return {
        "target": f"{target.provider} · {target.model}",
        "circuit": _SIGNS.get(target.circuit, target.circuit),
        "success": target.success_rate,
        "mean": target.mean_ms,
        "p95": target.p95_ms,
        "first": target.first_token_p50_ms,
        "requests": target.requests or None,
        "error": words.trouble(target.last_error_type),
        "error_at": target.last_error_at,
        "cooling": target.cooling_until if _ahead(target.cooling_until) else None,
        "blocked": words.trouble(target.blocked),
    }


def _account_row(account: said.Account) -> dict[str, Any]:
    limit = account.max_concurrent
    return {
        "provider": account.provider,
        "state": "✓ usable" if account.state == "usable" else f"⊘ {account.state}",
        "in_flight": f"{account.in_flight} of {limit}" if limit is not None else str(account.in_flight),
        "requests": _left(account.requests),
        "tokens": _left(account.tokens),
        "aside": ", ".join(account.keys_aside),
        "probe": words.trouble(account.probe_error_type) or ("ok" if account.probed_at else ""),
        "probed": account.probed_at,
    }


def _left(rate: said.Rate | None) -> str:
    """ "58 of 60 (learned)"."""
    if rate is None or rate.limit is None:
        return ""
    left = say.count(rate.limit if rate.remaining is None else rate.remaining)
    return f"{left} of {say.count(rate.limit)} ({rate.source})"


def _last_said(context: parts.Context, why: str) -> None:
    """From the ledger, with its time. Only who sees everything gets here without a sidecar."""
    rows = data.ask_whole(context, standing.targets) if context.who.workspace is None else pl.DataFrame()
    st.info(f"**No sidecar is running here.** {why}", icon=":material/power_off:")
    st.code("taximeter up", language="shell")
    if rows.is_empty():
        return
    newest = rows["at"].max()
    st.caption(f"What sidecars said last, at {say.time(newest if isinstance(newest, datetime) else None)}:")
    shown = rows.select(
        pl.format("{} · {}", "provider", "model").alias("target"),
        pl.col("circuit").str.replace_all("_", " ").str.to_lowercase().replace(_SIGNS),
        pl.when(pl.col("requests") > 0).then(1 - pl.col("errors") / pl.col("requests")).alias("success"),
        pl.col("mean_ms").alias("mean"),
        pl.col("p95_ms").alias("p95"),
        "requests",
        tables.troubles("last_error_type").alias("error"),
        pl.col("last_error_at").dt.replace_time_zone("UTC").alias("error_at"),
        pl.col("at").dt.replace_time_zone("UTC").alias("said"),
    )
    st.dataframe(shown, hide_index=True, placeholder="", column_config=_TARGETS, key="last-said",
                 alt="Table of targets as sidecars last said")  # fmt: skip


def _when(label: str, meaning: str | None = None) -> Any:
    return st.column_config.DatetimeColumn(label, help=meaning, format="D MMM HH:mm:ss", timezone="UTC")


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_TARGETS: dict[str, Any] = {
    "target": _text("Provider · model", pinned=True),
    "circuit": _text("Circuit", help=CIRCUIT),
    "success": _number("Success", help=SUCCESS, format="percent"),
    "mean": _number("Mean ms", help=LATELY, format="%.0f"),
    "p95": _number("p95 ms", help=LATELY, format="%.0f"),
    "first": _number("First token ms", help=f"Median wait for a stream's first content. {LATELY}", format="%.0f"),
    "requests": _number("Requests", help=LATELY, format="localized"),
    "error": _text("Last error"),
    "error_at": _when("At (UTC)"),
    "cooling": _when("Cooling until (UTC)", COOLING),
    "blocked": _text("Passed over for", help=BLOCKED),
    "said": _when("Said at (UTC)"),
}
_ACCOUNTS: dict[str, Any] = {
    "provider": _text("Provider", pinned=True),
    "state": _text("State", help="Whether calls can go there, and if not, why."),
    "in_flight": _text("In flight", help="Attempts under way, and how many there may be at once."),
    "requests": _text("Requests left", help=LIMIT),
    "tokens": _text("Tokens left", help=LIMIT),
    "aside": _text("Keys put aside", help=ASIDE),
    "probe": _text("Last probe", help="A question that costs nothing, asked while a circuit was open or by hand."),
    "probed": _when("Probed (UTC)"),
}

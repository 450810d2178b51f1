"""Keys & aliases: what a workspace's calls are made with and what they can name. It shows, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from analytics import sums
from analytics.period import Period
from dashboards import control, data, parts, running, said
from dashboards import definitions as means
from dashboards import format as say

MASKED = "The first and the last letters of the secret. More of it is shown nowhere."
STATE = (
    "active: in use. disabled: switched off by its owner. rejected: the provider has refused it of late; it is tried "
    "again after a while, or once it is verified. locked: it cannot be decrypted with the key-encryption key in use."
)
SCOPES = "What calls may use it for."
MONTH = "What it may be used for in a calendar month, and how much of that is used up or held by calls under way."
CHAIN = "Whom a call to the alias goes to, the first first; the others when that one cannot answer."
VERSION = "Counts the alias' changes. A call's row says which one it was made under."
FROM = "configuration: from the operator's settings. workspace: its own, which comes first. default: made with it."
STRATEGY = "How the first of the chain is chosen for a call."
OPERATORS = "Providers of the configuration, with the operator's own keys."
STEPS_SHOWN = 6

Used = Mapping[str, Mapping[str, Any]]
"""By name: the measures of usage in the period."""


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Keys & aliases", filtered=False)
    workspace = running.workspace(context)
    parts.live(head, lambda: _body(context, head.span, workspace))


def _body(context: parts.Context, span: Period, workspace: str) -> None:
    st.caption(f"Workspace `{workspace}`. Calls, tokens and cost: {say.span(span.start, span.end)}.")
    keys = running.told(context, control.keys, workspace)
    if keys is None:
        return
    _keys(context, keys, workspace, _used(context, span, workspace, "key"))
    _aliases(context, workspace, _used(context, span, workspace, "alias"))
    if context.who.workspace is None and workspace == running.DEFAULT_WORKSPACE:
        _operators(context)


def _used(context: parts.Context, span: Period, workspace: str, by: str) -> Used:
    rows = data.ask(context, sums.sums, span, {"workspace": workspace}, by)
    return {row[by]: row for row in rows.iter_rows(named=True)}


def _keys(context: parts.Context, keys: Sequence[said.Key], workspace: str, used: Used) -> None:
    st.subheader("Keys", anchor=False, help="The workspace's own keys at providers, kept encrypted.")
    if not keys:
        st.info("**This workspace has no keys of its own.** An administrator adds one:", icon=":material/key:")
        st.code("taximeter keys add openai", language="shell")
        return
    budgets, _ = running.heard(context, control.budgets, (workspace,))
    limits = {each.subject: each for each in budgets or () if each.scope == "key"}
    st.dataframe(
        pl.DataFrame([_key_row(key, limits.get(key.key_id), used.get(key.key_id, {})) for key in keys],
                     infer_schema_length=None),
        hide_index=True, placeholder="", column_config=_KEYS, key="keys-table",
        alt="Table of the workspace's provider keys, masked",
    )  # fmt: skip
    st.caption("To change one: `taximeter keys update`, `rotate`, `verify` or `revoke`, with its id.")


def _key_row(key: said.Key, budget: said.Budget | None, used: Mapping[str, Any]) -> dict[str, Any]:
    fullest = max(budget.measures, key=lambda each: each.used, default=None) if budget else None
    return {
        "provider": key.provider,
        "label": key.label,
        "masked": key.masked,
        "state": f"{'✓' if key.state == 'active' else '⊘'} {key.state}",
        "scopes": ", ".join(key.scopes),
        "limit": "; ".join(_limit(each) for each in budget.measures) if budget else "none",
        "used": None if fullest is None else fullest.used,
        "calls": used.get("calls", 0),
        "cost": say.money(used["cost_usd"], unpriced=used["unpriced_calls"]) if used else "",
        "verified": key.verified_at,
        "id": key.key_id,
    }


def _limit(measure: said.Measure) -> str:
    return say.money(measure.limit) if measure.unit == "usd" else f"{say.count(float(measure.limit))} {measure.unit}"


def _aliases(context: parts.Context, workspace: str, used: Used) -> None:
    st.subheader("Aliases", anchor=False, help="Names for chains of models: what calls ask for.")
    aliases = running.told(context, control.aliases, workspace)
    if aliases is None:
        return
    if not aliases:
        st.info("**There are no aliases.** Make one:", icon=":material/alt_route:")
        st.code("taximeter aliases create summaries --target openai --target anthropic", language="shell")
        return
    st.dataframe(
        pl.DataFrame([_alias_row(alias, used.get(alias.name, {})) for alias in aliases], infer_schema_length=None),
        hide_index=True, placeholder="", column_config=_ALIASES, key="aliases-table",
        alt="Table of aliases with their chains of models",
    )  # fmt: skip
    st.caption("To change one: `taximeter aliases update NAME`. Its versions: `taximeter aliases versions NAME`.")


def _alias_row(alias: said.Alias, used: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alias": alias.name,
        "state": "✓ usable" if alias.usable else "⊘ not usable",
        "chain": _chain(alias.chain),
        "calls": used.get("calls", 0),
        "erring": used["errors"] / used["calls"] if used.get("calls") else None,
        "cost": say.money(used["cost_usd"], unpriced=used["unpriced_calls"]) if used else "",
        "reason": alias.reason,
        "strategy": " · ".join(part for part in (alias.strategy, alias.preference) if part),
        "limits": ", ".join(alias.limits) or "none",
        "version": alias.version,
        "source": alias.source,
    }


def _chain(chain: Sequence[said.Step]) -> str:
    """ "groq · llama → openai · gpt-5-mini (fallback only)"."""
    steps = [
        f"{step.provider}{' · ' + step.model if step.model else ''}{'' if step.weight else ' (fallback only)'}"
        for step in chain[:STEPS_SHOWN]
    ]
    more = [f"{len(chain) - STEPS_SHOWN} more"] if len(chain) > STEPS_SHOWN else []
    return " → ".join([*steps, *more])


def _operators(context: parts.Context) -> None:
    """Of the configuration. Other workspaces' viewers never get here."""
    providers, _ = running.heard(context, control.providers)
    if not providers:
        return
    st.subheader("Operator's providers", anchor=False, help=OPERATORS)
    rows = [
        {
            "name": each.name,
            "type": each.type,
            "masked": each.masked or "none",
            "state": "✓ usable" if each.usable else f"⊘ {each.reason}",
            "operations": ", ".join(each.operations),
        }
        for each in providers
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=_OPERATORS, key="operators-table",
                 alt="Table of the configured providers with their masked keys")  # fmt: skip


_text, _number = st.column_config.TextColumn, st.column_config.NumberColumn
_CALLS: dict[str, Any] = {
    "calls": _number("Calls", help=means.CALLS, format="localized"),
    "erring": _number("Errors", help=means.ERROR_RATE, format="percent"),
    "cost": _text("Cost", help=means.COST, alignment="right"),
}
_KEYS: dict[str, Any] = _CALLS | {
    "provider": _text("Provider", pinned=True),
    "label": "Label",
    "masked": _text("Secret", help=MASKED),
    "state": _text("State", help=STATE),
    "scopes": _text("Scopes", help=SCOPES),
    "limit": _text("Monthly limit", help=MONTH),
    "used": st.column_config.ProgressColumn("Of it used", help=MONTH, min_value=0, max_value=1, format="percent"),
    "verified": st.column_config.DatetimeColumn(
        "Verified (UTC)", format="D MMM YYYY", timezone="UTC", help="When the provider last took it."
    ),
    "id": _text("Key id", help="What the books and the command line name it by."),
}
_ALIASES: dict[str, Any] = _CALLS | {
    "alias": _text("Alias", pinned=True),
    "state": _text("State", width=100),
    "chain": _text("Chain", help=CHAIN, width=300),
    "strategy": _text("Strategy", help=STRATEGY, width=100),
    "version": _number("Version", help=VERSION, width=70),
    "source": _text("From", help=FROM),
    "limits": _text("Limits", help="Of all calls to the alias together."),
    "reason": _text("What is amiss", help="Why it cannot be used, or what stands in the way of some of its targets."),
}
_OPERATORS: dict[str, Any] = {
    "name": _text("Provider", pinned=True),
    "type": _text("Kind", help="Whose manner of speaking it has."),
    "masked": _text("Secret", help=MASKED),
    "state": _text("State", help="Whether calls can go there, and if not, why."),
    "operations": _text("Operations", width="large"),
}

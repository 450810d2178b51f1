"""The filters that all pages share: choosers of what there is, kept in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

from analytics.period import BadPeriod
from analytics.question import Filters
from analytics.source import SourceError
from dashboards import data
from dashboards.context import Context

NAMES = ("provider", "model", "alias", "operation", "status", "workspace", "key", "caller", "tag")
_HELP = {
    "provider": "Calls that went there, whoever answered them.",
    "key": "The provider's key that was used, by its id.",
    "caller": "Who called: a token's id, or a name.",
    "tag": "Of one key any will do; of several keys all must be there. Type `key=value` for one that is not listed.",
}


def label(name: str) -> str:
    """A filter's name as it is shown: "tag:team" -> "Tag team"."""
    return name.replace(":", " ").capitalize()


def chooser(context: Context, period: str) -> Filters:
    """A button that opens the choosers. Only what was narrowed is returned."""
    there = _offered(context, period)
    names = [name for name in NAMES if name != "workspace" or context.who.workspace is None]
    count = sum(bool(_asked(name)) for name in names)
    with st.popover(f"Filters ({count})" if count else "Filters", icon=":material/filter_alt:", key="filters"):
        left, right = st.columns(2)
        chosen = {}
        for place, name in enumerate(names):
            with right if place % 2 else left:
                chosen[name] = _choice(name, there.get(name, []))
        st.button("Clear all", icon=":material/filter_alt_off:", on_click=_clear, disabled=not count, key="clear")
    return as_filters(chosen)


def one_of(
    title: str,
    options: Sequence[str],
    key: str,
    *,
    width: int | Literal["stretch"] = "stretch",
    meaning: str | None = None,
) -> str:
    """A box to choose one in, at first the first, by the names that the command line has for them: these stand in the
    URL, too. One from when labels did is understood."""
    labelled = {label(name): name for name in options}
    if name := labelled.get(st.query_params.get(key, "")):
        st.session_state.setdefault(key, name)
    return st.selectbox(title, options, key=key, bind="query-params", width=width, help=meaning) or options[0]


def as_filters(chosen: Mapping[str, list[str]]) -> Filters:
    """Choices as analytics takes them; "key=value" of tags by their keys."""
    found: dict[str, list[str]] = {}
    for name, values in chosen.items():
        for value in values:
            key, _, wanted = value.partition("=")
            found.setdefault(*((f"tag:{key}", []) if name == "tag" else (name, []))).append(
                wanted if name == "tag" else value
            )
    return found


def told(chosen: Filters) -> None:
    """What the page is narrowed to, in a line."""
    if chosen:
        said = (f":gray-badge[{label(name)}: {_values(wanted)}]" for name, wanted in chosen.items())
        st.markdown(" ".join(said))


def _values(wanted: object) -> str:
    values = (
        [wanted] if isinstance(wanted, str) else [str(value) for value in wanted] if isinstance(wanted, list) else []
    )
    return ", ".join(value.replace("[", "").replace("]", "").replace("`", "") for value in values)


def _choice(name: str, there: list[str]) -> list[str]:
    return st.multiselect(
        label(name),
        sorted({*there, *_asked(name)}),
        key=name,
        bind="query-params",
        placeholder="All",
        accept_new_options=name in ("tag", "caller", "key", "model"),
        help=_HELP.get(name),
    )


def _asked(name: str) -> list[str]:
    """What the URL or an earlier page asked for, even if the period has none of it."""
    return [*st.session_state.get(name, [])] or st.query_params.get_all(name)


def _offered(context: Context, period: str) -> Mapping[str, list[str]]:
    """Where the ledger cannot say it, or the period is none, nothing: the page itself tells why."""
    try:
        return data.choosable(context, data.period(period))
    except (SourceError, BadPeriod):
        return {}


def _clear() -> None:
    for name in NAMES:
        st.session_state[name] = []

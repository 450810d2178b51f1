"""Ways from a figure to the calls behind it.

What a link asks for goes in one parameter of its own: Streamlit takes those that are bound to a page's widgets out of
the URL when a page is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

import streamlit as st

from analytics.question import Filters
from dashboards import filters

ASKED = "ask"


def to_calls(label: str, period: str, chosen: Filters, **more: str | Sequence[str]) -> None:
    """A link to the list of calls, narrowed to the page's filters and `more`. `period`: as the page has it."""
    page = st.Page(_calls, title="Calls", url_path="calls")
    query = {ASKED: asked(period, {**chosen, **more})}
    st.page_link(page, label=label, icon=":material/list_alt:", query_params=query)


def asked(period: str, chosen: Filters) -> str:
    """Period and filters as a URL has them: tags as "key=value"."""
    query = [("period", period)] if period else []
    for name, wanted in chosen.items():
        kind, colon, key = name.partition(":")
        tagged = kind == "tag" and colon
        values = [wanted] if isinstance(wanted, str) else wanted
        query += [("tag", f"{key}={value}") if tagged else (name, value) for value in values]
    return urlencode(query)


def arrive() -> None:
    """Chooses what a link asked for, before the page's widgets are there. A period that was chosen stays."""
    for name, values in parse_qs(st.query_params.get(ASKED, "")).items():
        if name in filters.NAMES:
            st.session_state[name] = values
        elif name == "period":
            st.session_state.setdefault(name, values[0])
    st.query_params.pop(ASKED, None)


def _calls() -> None:
    """Stands for the page of this address, which the navigation knows."""

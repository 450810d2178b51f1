"""Ways from a figure to the calls behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from analytics.question import Filters


def to_calls(label: str, period: str, filters: Filters, **more: str | Sequence[str]) -> None:
    """A link to the list of calls, narrowed to the page's filters and `more`. `period`: as it stands in the URL."""
    page = st.Page(_calls, title="Calls", url_path="calls")
    query = asked(period, {**filters, **more})
    st.page_link(page, label=label, icon=":material/list_alt:", query_params=query)


def asked(period: str, filters: Filters) -> Mapping[str, str | list[str]]:
    """Period and filters as the URL has them: tags as "key=value"."""
    query: dict[str, str | list[str]] = {"period": period} if period else {}
    tags = []
    for name, wanted in filters.items():
        values: Sequence[str] = [wanted] if isinstance(wanted, str) else wanted
        kind, colon, key = name.partition(":")
        if kind == "tag" and colon:
            tags += [f"{key}={value}" for value in values]
        else:
            query[name] = list(values)
    return {**query, "tag": tags} if tags else query


def _calls() -> None:
    """Stands for the page of this address, which the navigation knows."""

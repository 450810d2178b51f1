"""The dashboard's script: `streamlit run dashboards/app.py -- --home PATH` (see launch.py)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboards import links, parts, signin
from dashboards.context import Context
from dashboards.views import (
    budgets,
    calls,
    cost,
    errors,
    export,
    fallbacks,
    keys,
    latency,
    overview,
    providers,
    quality,
    usage,
)

SIDEBAR_PX = 220
ROOMIER = """
.stMainBlockContainer { padding: 3.5rem 2.5rem 3rem; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 3.5rem 1rem 2rem; } }
"""
"""Less margin than Streamlit's own, so that tables fit a screen 1280 wide."""


def arguments() -> argparse.Namespace:
    """The script's own, else TAXIMETER_HOME and TAXIMETER_TRACE_URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", default=os.environ.get("TAXIMETER_HOME", ""))
    parser.add_argument("--trace-url", default=os.environ.get("TAXIMETER_TRACE_URL", ""))
    parser.add_argument("--login", choices=(signin.NONE, signin.TOKEN, signin.OIDC), default=signin.NONE)
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of the navigation."""

    title: str
    icon: str
    show: Callable[[Context], None]

    @property
    def path(self) -> str:
        """In the URL."""
        return self.title.lower().replace(" & ", "-").replace(" ", "-")


PAGES = {
    "": [Shown("Overview", "monitoring", overview.show)],
    "Spend": [
        Shown("Usage", "bar_chart", usage.show),
        Shown("Cost", "payments", cost.show),
        Shown("Budgets", "savings", budgets.show),
        Shown("Exports", "download", export.show),
    ],
    "Reliability": [
        Shown("Fallbacks", "alt_route", fallbacks.show),
        Shown("Latency", "timer", latency.show),
        Shown("Errors", "error", errors.show),
        Shown("Providers", "dns", providers.show),
        Shown("Calls", "list_alt", calls.show),
    ],
    "Setup": [
        Shown("Keys & aliases", "key", keys.show),
        Shown("Data quality", "verified", quality.show),
    ],
}
"""By whom they are for."""
FIRST = "Overview"


def pages(where: Context) -> dict[str, list[StreamlitPage]]:
    """As Streamlit wants them. A page is a function of where it runs."""
    found = {
        audience: [
            st.Page(partial(each.show, where), title=each.title, icon=f":material/{each.icon}:",
                    url_path="home" if each.title == FIRST else each.path, default=each.title == FIRST)
            for each in shown
        ]
        for audience, shown in PAGES.items()
    }  # fmt: skip
    first = found[""][0]
    found[""].append(st.Page(partial(_first, first), title=FIRST, url_path=FIRST.lower(), visibility="hidden"))
    return found


def _first(page: StreamlitPage) -> None:
    """The first page's own path is empty, but people expect it under its name like the others."""
    st.switch_page(page, query_params=st.query_params.to_dict())


def main() -> None:
    given = arguments()
    here = Path(__file__)  # an icon by its name would be asked of a font server
    st.set_page_config("Taximeter", here.with_name("icon.svg"), layout="wide", initial_sidebar_state=SIDEBAR_PX)
    st.html(f"<style>{ROOMIER}</style>")
    st.logo(here.with_name("logo.svg"), size="large")
    if not given.home:
        st.error("**Which ledger?** Start with `taximeter dashboard`, or set TAXIMETER_HOME.")
        return
    who = signin.viewer(given.home, given.login)
    if who is None:
        return
    where = Context(given.home, given.trace_url, who)
    links.arrive()
    parts.keep()
    chosen = st.navigation(pages(where))
    with st.sidebar:
        parts.standing(where)
        signin.told(who, given.login)
    chosen.run()


main()

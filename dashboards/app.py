"""The dashboard's script: `streamlit run dashboards/app.py -- --home PATH` (see launch.py)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dashboards.parts import Context, standing
from dashboards.views import calls, export, overview

SIDEBAR_PX = 220
ROOMIER = """
.stMainBlockContainer { padding: 3.5rem 2.5rem 3rem; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 3.5rem 1rem 2rem; } }
"""
"""Less margin than Streamlit's own, so that tables fit a screen 1280 wide."""


def context() -> Context:
    """From the script's own arguments, else from TAXIMETER_HOME and TAXIMETER_TRACE_URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", default=os.environ.get("TAXIMETER_HOME", ""))
    parser.add_argument("--trace-url", default=os.environ.get("TAXIMETER_TRACE_URL", ""))
    given = parser.parse_args()
    return Context(given.home, given.trace_url)


def page(show: Callable[[Context], None], where: Context) -> Callable[[], None]:
    """A page as Streamlit wants it."""
    return lambda: show(where)


def main() -> None:
    where = context()
    st.set_page_config("Taximeter", ":material/local_taxi:", layout="wide", initial_sidebar_state=SIDEBAR_PX)
    st.html(f"<style>{ROOMIER}</style>")
    if not where.home:
        st.error("**Which ledger?** Start with `taximeter dashboard`, or set TAXIMETER_HOME.")
        return
    chosen = st.navigation(
        [
            st.Page(page(overview.show, where), title="Overview", icon=":material/monitoring:", url_path="overview",
                    default=True),
            st.Page(page(calls.show, where), title="Calls", icon=":material/list_alt:", url_path="calls"),
            st.Page(page(export.show, where), title="Export", icon=":material/download:", url_path="export"),
        ]
    )  # fmt: skip
    st.logo(Path(__file__).with_name("logo.svg"), size="large")
    with st.sidebar:
        standing(where)
    chosen.run()


main()

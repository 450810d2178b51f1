"""A browser's tab that is loaded anew stays signed in.

The tab keeps a ticket, drawn by chance, in its sessionStorage: no other tab, site or port sees it, and it ends with the
tab. Here, in memory only, a ticket stands for who signed in. A token goes to no tab, and neither into a URL or cookie.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import streamlit as st

from dashboards.context import Viewer

KEPT_S = 12 * 3600.0
"""A ticket is good for a working day."""
MOST = 10_000
"""Tickets; the oldest goes first."""
_ENTRY = "taximeter-ticket"
_JS = f"""export default ({{ data, setStateValue }}) => {{
  const kept = data.ticket || sessionStorage.getItem("{_ENTRY}");
  if (data.ticket) sessionStorage.setItem("{_ENTRY}", data.ticket);
  else if (kept) setStateValue("ticket", kept);
}}"""
_tab = st.components.v2.component("taximeter_tab", js=_JS)


class Tickets:
    """Who holds which. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Viewer, float]] = {}
        """With when it ends; those that end first stand first."""

    def give(self, who: Viewer) -> str:
        with self._lock:
            now = self._clock()
            for old in [ticket for ticket, (_, end) in self._held.items() if end <= now]:
                del self._held[old]
            if len(self._held) >= MOST:
                del self._held[next(iter(self._held))]
            ticket = secrets.token_urlsafe(32)
            self._held[ticket] = who, now + KEPT_S
            return ticket

    def holder(self, ticket: str) -> Viewer | None:
        """None: it was never given, or taken back, or has ended."""
        with self._lock:
            who, end = self._held.get(ticket, (None, 0.0))
            return who if end > self._clock() else None

    def take_back(self, ticket: str) -> None:
        with self._lock:
            self._held.pop(ticket, None)


@st.cache_resource(show_spinner=False)
def tickets() -> Tickets:
    """Of this process: after its restart everybody signs in again."""
    return Tickets()


def hold(ticket: str) -> None:
    """Has the tab keep it."""
    _tab(key="tab", data={"ticket": ticket}, height=1)


def held() -> str:
    """The ticket that the tab kept. At first empty: it is told as soon as the page stands there, and the script runs
    again."""
    told = _tab(key="tab", data={"ticket": ""}, height=1, on_ticket_change=lambda: None)
    return str(told.ticket or "")

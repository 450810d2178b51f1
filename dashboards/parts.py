"""What all pages share: the head with its period, the filters, live refresh, and the states without figures."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from analytics.facts import NARROWED_BY
from analytics.period import FORMS, BadPeriod, Period
from analytics.question import BadQuestion, Filters
from analytics.source import LedgerBusy, NoLedger, SourceError
from dashboards import data, filters
from dashboards import format as say
from dashboards.context import Context, Viewer

__all__ = [
    "Context", "Head", "Judged", "Viewer",
    "card", "does_not_apply", "explaining", "head", "keep", "live", "nothing", "only", "standing",
]  # fmt: skip

PERIODS = {  # the words stand in the URL too; any other text is read as it is
    "Last hour": "1h",
    "Last 24 hours": "24h",
    "Today (UTC)": "today",
    "Last 7 days": "7d",
    "Last 30 days": "30d",
    "Last 90 days": "90d",
}
REFRESH_S = 5
Judged = Literal["normal", "inverse", "off"]
LIVE = f"Refresh every {REFRESH_S} seconds."
COMPARE = "Beside each figure what it was in the period of the same length before; of a month, in the month before."

SHARED = ("period", "live", "compare", *filters.NAMES)
"""Keys of what goes along from page to page."""


@dataclass(frozen=True, slots=True)
class Head:
    """What was chosen in a page's head."""

    context: Context
    period: str
    live: bool
    compared: bool
    filters: Filters

    @property
    def span(self) -> Period:
        """Anew at each look: a relative period goes on. Raises BadPeriod."""
        return data.period(self.period)

    @property
    def before(self) -> Period | None:
        """What to compare with; None where nothing is to be compared. Raises BadPeriod."""
        return self.span.previous if self.compared else None


def head(context: Context, title: str, *, refreshed: bool = True, compare: bool = False, filtered: bool = True) -> Head:
    """Title, period, filters, and the switches a page has. The choices stay in the URL and go along to other pages.

    `compare`: the page shows what the period before had, if that is asked for."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.title(title, anchor=False)
    with right.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="right"):
        period = _period()
        chosen = filters.chooser(context, period) if filtered else {}
        compared = compare and st.toggle("Compare", value=True, key="compare", bind="query-params", help=COMPARE)
        live = refreshed and st.toggle("Live", value=True, key="live", bind="query-params", help=LIVE)
    filters.told(chosen)
    return Head(context, period, live, compared, chosen)


def _period() -> str:
    chosen = st.selectbox(
        "Period",
        list(PERIODS),
        index=3,
        key="period",
        bind="query-params",
        accept_new_options=True,
        help=f"Choose one, or type {FORMS}. All times are UTC.",
        width=200,
    )
    return PERIODS.get(chosen or "", chosen or "7d")


def keep() -> None:
    """What was chosen on a page is kept while another, which does not show it, is looked at."""
    for key in SHARED:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def does_not_apply(kind: str, chosen: Filters) -> Filters:
    """The filters that a kind of sum (of analytics.facts) knows; a line on the page names those it does not."""
    return only(NARROWED_BY[kind], chosen)


def only(known: Container[str], chosen: Filters) -> Filters:
    """The filters that are known ("tag:<key>": of any tag); a line on the page names the others."""
    out = [name for name in chosen if name not in known and not (name.startswith("tag:") and "tag:<key>" in known)]
    if out:
        st.caption(f":material/filter_alt_off: Not narrowed by {' or '.join(filters.label(name) for name in out)}.")
    return {name: wanted for name, wanted in chosen.items() if name not in out}


def live(head: Head, body: Callable[[], None]) -> None:
    """Draws `body` now, and again every few seconds while the page is live; what it cannot show, it explains."""

    def explained() -> None:
        with data.together(head.context), explaining(again=head.live):
            body()

    st.fragment(explained, run_every=REFRESH_S if head.live else None)()


@contextmanager
def explaining(*, again: bool = False) -> Iterator[None]:
    """Turns what analytics raises into words that say what to do. `again`: the page asks anew by itself."""
    try:
        yield
    except NoLedger as error:
        st.info(f"**Nothing has been recorded yet.** {_sentence(error)}", icon=":material/local_taxi:")
        st.code("taximeter up\ntaximeter invoke --alias smart 'Hello'", language="shell")
    except LedgerBusy as error:
        st.warning(f"**The ledger does not answer just now.** {_sentence(error)}", icon=":material/hourglass_top:")
        st.caption(f"{'Trying again' if again else 'Reload in a moment'}. Calls are recorded meanwhile; none is lost.")
    except SourceError as error:
        st.error(f"**This could not be read.** {_sentence(error)}", icon=":material/error:")
    except (BadPeriod, BadQuestion) as error:
        st.error(f"**Please correct this.** {_sentence(error)}", icon=":material/edit_calendar:")


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def nothing(span: Period, *, filtered: bool) -> None:
    """Instead of empty charts."""
    st.info(f"**No calls in this period** ({say.span(span.start, span.end)}).", icon=":material/search_off:")
    if filtered:
        st.caption("Take a filter away, or choose a longer period above.")
    else:
        st.caption("Choose a longer period above, or make a call:")
        st.code("taximeter invoke --alias smart 'Hello'", language="shell")


def card(label: str, value: str, change: str | None, meaning: str, more: Judged = "off") -> None:
    """A figure, and beside it how it has changed. `more`: what an increase is, "normal" good and "inverse" bad news;
    no change is neither."""
    same = change == say.SAME
    st.metric(
        label,
        value,
        change,
        delta_arrow="off" if same else "auto",
        delta_color="off" if same else more,
        delta_description="vs. before" if change else None,
        help=meaning,
        border=True,
        width="stretch",
        height="stretch",
    )


def standing(context: Context) -> None:
    """How fresh all this is, in a line."""
    try:
        status = data.status(context)
    except SourceError:
        st.caption(":material/cloud_off: no ledger to read")
        return
    where = "live" if status.live else "from its file: the bookkeeper is not running"
    lag = f", {status.lag_s:.0f} s behind" if status.lag_s >= 2 else ""
    running = f", {say.count(status.open_calls)} running" if status.open_calls else ""
    st.caption(f":material/database: {say.many(status.calls, 'calls')}{running}, {where}{lag}")
    if status.corrupt_frames:
        st.caption(f":material/warning: unreadable and skipped in the journal: {say.count(status.corrupt_frames)}")

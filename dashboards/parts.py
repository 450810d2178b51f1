"""What all pages share: the head with its period, the filters, live refresh, and the states without figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from analytics.period import FORMS, BadPeriod, Period
from analytics.question import BadQuestion
from analytics.source import LedgerBusy, NoLedger, SourceError
from dashboards import data
from dashboards import format as say

PERIODS = {  # the words stand in the URL too; any other text is read as it is
    "Last hour": "1h",
    "Last 24 hours": "24h",
    "Today (UTC)": "today",
    "Last 7 days": "7d",
    "Last 30 days": "30d",
    "Last 90 days": "90d",
}
REFRESH_S = 5


Chosen = Mapping[str, list[str]]
"""Filters that narrow something: dimension -> the values of which any will do."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a page needs to know of where it runs."""

    home: str
    trace_url: str = ""
    """With "{trace_id}" in it; empty: traces are named and not linked."""


@dataclass(frozen=True, slots=True)
class Head:
    """What was chosen in a page's head."""

    period: str
    live: bool

    @property
    def span(self) -> Period:
        """Anew at each look: a relative period goes on. Raises BadPeriod."""
        return data.period(self.period)


def head(title: str, *, refreshed: bool = True) -> Head:
    """Title, period and live switch. The choice stays in the URL and goes along from page to page."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.title(title, anchor=False)
    with right.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="right"):
        chosen = st.selectbox(
            "Period",
            list(PERIODS),
            index=3,
            key="period",
            bind="query-params",
            accept_new_options=True,
            help=f"Choose one, or type {FORMS}. All times are UTC.",
            width=230,
        )
        live = refreshed and st.toggle(
            "Live", value=True, key="live", bind="query-params", help=f"Refresh every {REFRESH_S} seconds."
        )
    return Head(PERIODS.get(chosen or "", chosen or "7d"), live)


def live(head: Head, body: Callable[[], None]) -> None:
    """Draws `body` now, and again every few seconds while the page is live; what it cannot show, it explains."""

    def explained() -> None:
        with explaining(again=head.live):
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


_FILTERS = {"provider": "Provider", "alias": "Alias", "status": "Status"}


def filters(context: Context, span: Period, extra: Callable[[], None] | None = None) -> Chosen:
    """Choosers of what there is in the period; the choice stays in the URL. Only what was narrowed is returned."""
    columns = st.columns(len(_FILTERS) + bool(extra))
    chosen = {
        name: column.multiselect(
            label,
            _offered(context, span, name),
            key=name,
            bind="query-params",
            placeholder="All",
            help="Calls that went there, whoever answered them." if name == "provider" else None,
        )
        for column, (name, label) in zip(columns, _FILTERS.items(), strict=False)
    }
    if extra:
        with columns[-1]:
            extra()
    return {name: values for name, values in chosen.items() if values}


def _offered(context: Context, span: Period, name: str) -> list[str]:
    """What there is, and what the URL asks for even if it is not in this period."""
    asked = [*st.session_state.get(name, []), *st.query_params.get_all(name)]
    return sorted({*data.choices(context.home, span, name), *asked})


def standing(context: Context) -> None:
    """How fresh all this is, in a line."""
    try:
        status = data.status(context.home)
    except SourceError:
        st.caption(":material/cloud_off: no ledger to read")
        return
    where = "live" if status.live else "from its file: the bookkeeper is not running"
    lag = f", {status.lag_s:.0f} s behind" if status.lag_s >= 2 else ""
    running = f", {say.count(status.open_calls)} running" if status.open_calls else ""
    st.caption(f":material/database: {say.count(status.calls)} calls{running}, {where}{lag}")
    if status.corrupt_frames:
        st.caption(f":material/warning: {say.count(status.corrupt_frames)} unreadable journal entries were skipped")

"""The one home of caching, and of what a viewer may see: every question is narrowed to their workspace here.

An answer is kept for some seconds, by its question, and shared by all who may ask it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import polars as pl
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from analytics import calls, choices, exports, filing
from analytics.layouts import Written
from analytics.period import Period, parse
from analytics.question import Filters
from analytics.source import HomeSource, Source, Status, open_source
from dashboards.context import Context, Viewer

Answer = TypeVar("Answer")
More = ParamSpec("More")

FRESH_S = 2
"""How old an answer may be."""
CHOICES_S = 60
"""How old what there is to choose from may be."""


_AT_ONCE = 4
_ASKING = ThreadPoolExecutor(_AT_ONCE, "asking")
"""Of all sessions: a question that waits here would wait for a processor elsewhere."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it is kept: by its function's name and all it is given."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    more: Mapping[str, Any]

    def __post_init__(self) -> None:
        if "<" in self.name:
            raise TypeError(f"an answer is kept by its question's name, and this has none: {self.name}")

    @property
    def name(self) -> str:
        return f"{self.fn.__module__}.{self.fn.__qualname__}"

    @property
    def key(self) -> str:
        return repr((self.name, self.args, sorted(self.more.items())))


def ask(
    context: Context,
    fn: Callable[Concatenate[Source, Period, Filters | None, More], Answer],
    span: Period,
    filters: Filters | None = None,
    *args: More.args,
    **more: More.kwargs,
) -> Answer:
    """`fn(source, span, filters, *args, **more)` of analytics, for calls that the viewer may see. `fn` is a named
    function: by its name and arguments the answer is kept. Raises what it raises."""
    answer: Answer = _of_ledger(context.home, _Asked(fn, (span, seen(context.who, filters), *args), more))
    return answer


@contextmanager
def together(context: Context) -> Iterator[None]:
    """Around a page's questions: the ledger's file, where no bookkeeper has it, is opened once for them all."""
    with _source(context.home).together():
        yield


def soon(
    context: Context,
    fn: Callable[Concatenate[Source, Period, Filters | None, More], Answer],
    span: Period,
    filters: Filters | None = None,
    *args: More.args,
    **more: More.kwargs,
) -> Future[Answer]:
    """`ask`, while the page goes on: DuckDB answers several questions at a time. `result()` waits for the answer, and
    raises what `ask` raises."""
    told = get_script_run_ctx()

    def asked() -> Answer:
        add_script_run_ctx(ctx=told)  # whose page it is: Streamlit warns of caching for nobody
        return ask(context, fn, span, filters, *args, **more)

    return _ASKING.submit(asked)


def ask_whole(
    context: Context, fn: Callable[Concatenate[Source, More], pl.DataFrame], *args: More.args, **more: More.kwargs
) -> pl.DataFrame:
    """`fn(source, *args, **more)`, for what has no period: a frame with a column `workspace`, of which the viewer
    gets the rows of theirs."""
    frame: pl.DataFrame = _of_ledger(context.home, _Asked(fn, args, more))
    return frame if context.who.workspace is None else frame.filter(pl.col("workspace") == context.who.workspace)


def ask_of_all(
    context: Context, fn: Callable[Concatenate[Source, More], Answer], *args: More.args, **more: More.kwargs
) -> Answer | None:
    """`fn(source, *args, **more)`, for what is of all workspaces together; None for who may not see them all."""
    if context.who.workspace is not None:
        return None
    answer: Answer = _of_ledger(context.home, _Asked(fn, args, more))
    return answer


def ask_sidecar(
    context: Context, fn: Callable[Concatenate[str, str, More], Answer], *args: More.args, **more: More.kwargs
) -> Answer:
    """`fn(home, token, *args, **more)` of control.py: the sidecar itself decides what this token's owner may see."""
    answer: Answer = _of_sidecar(_Asked(fn, (context.home, context.who.token, *args), more))
    return answer


def seen(who: Viewer, filters: Filters | None) -> Filters:
    """The filters, within what the viewer may see, whatever they chose; in one order."""
    asked = {name: wanted if isinstance(wanted, str) else tuple(wanted) for name, wanted in (filters or {}).items()}
    if who.workspace is not None:
        asked["workspace"] = who.workspace
    return dict(sorted(asked.items()))


@st.cache_resource(show_spinner=False)
def _source(home: str) -> HomeSource:
    """One connection a home, for all sessions."""
    return open_source(Path(home))


_BY_NAME: Any = {_Asked: attrgetter("key")}


@st.cache_data(ttl=FRESH_S, max_entries=500, show_spinner=False, hash_funcs=_BY_NAME)
def _of_ledger(home: str, asked: _Asked) -> Any:
    return asked.fn(_source(home), *asked.args, **asked.more)


@st.cache_data(ttl=CHOICES_S, max_entries=100, show_spinner=False, hash_funcs=_BY_NAME)
def _of_ledger_a_while(home: str, asked: _Asked) -> Any:
    return asked.fn(_source(home), *asked.args, **asked.more)


@st.cache_data(ttl=FRESH_S, max_entries=100, show_spinner=False, hash_funcs=_BY_NAME)
def _of_sidecar(asked: _Asked) -> Any:
    return asked.fn(*asked.args, **asked.more)


def period(text: str) -> Period:
    """Relative ones end at the next tick of FRESH_S, so that those who ask together ask the same. Raises BadPeriod."""
    tick = math.ceil(datetime.now(UTC).timestamp() / FRESH_S) * FRESH_S
    return parse(text, datetime.fromtimestamp(tick, UTC))


@st.cache_data(ttl=FRESH_S, max_entries=10, show_spinner=False)
def _status(home: str) -> Status:
    return _source(home).status()


def status(context: Context) -> Status:
    """How the ledger stands; without the counts of calls for who may not see them all."""
    told = _status(context.home)
    return told if context.who.workspace is None else replace(told, calls=0, open_calls=0)


def choosable(context: Context, span: Period) -> Mapping[str, list[str]]:
    """What there is to filter by, by dimension, and "tag" as "key=value"."""
    days = Period(*(moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in (span.start, span.end)))
    found: Mapping[str, list[str]] = _of_ledger_a_while(
        context.home, _Asked(choices.choices, (days, seen(context.who, None)), {})
    )
    return found


@st.cache_data(ttl=FRESH_S, max_entries=100, show_spinner=False)
def _one_call(home: str, call_id: str, workspace: str | None) -> calls.OneCall | None:
    return calls.one_call(_source(home), call_id, workspace)


def one_call(context: Context, call_id: str) -> calls.OneCall | None:
    """A call with all that is known of it; None also where the viewer may not see it."""
    return _one_call(context.home, call_id, context.who.workspace)


def export_rows(context: Context, asked: filing.Asked) -> int:
    """How many rows the file will have, of what the viewer may see."""
    return filing.rows(_source(context.home), _mine(context, asked))


def export(
    context: Context, asked: filing.Asked, out: exports.Writable, told: Callable[[int], object]
) -> tuple[Written, bytes]:
    """The file into `out`, and its manifest; of what the viewer may see. `told`: the rows so far."""
    source, mine = _source(context.home), _mine(context, asked)
    position = exports.ledger_position(source)
    written = filing.send(source, mine, out, told)
    return written, exports.manifest(written, mine.span.start, mine.span.end, mine.filters, position)


def _mine(context: Context, asked: filing.Asked) -> filing.Asked:
    return replace(asked, filters=seen(context.who, asked.filters))

"""The pages, run as Streamlit runs them but without a browser: what they show, and what they say when they cannot."""

from __future__ import annotations

import fcntl
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards import filters as narrowing
from sidecar.core.call import CallRecord, CallStatus
from tests.support import pages
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.fallen import fallen


def overview_page(home: str) -> None:
    from dashboards import parts
    from dashboards.views import overview

    overview.show(parts.Context(home))


def calls_page(home: str) -> None:
    from dashboards import parts
    from dashboards.views import calls

    calls.show(parts.Context(home, "http://traces.example/{trace_id}"))


def export_page(home: str) -> None:
    from dashboards import parts
    from dashboards.views import export

    export.show(parts.Context(home))


PAGES = [overview_page, calls_page, export_page]


@pytest.fixture(scope="module")
def records() -> list[CallRecord]:
    return week(datetime.now(UTC), calls=300)


@pytest.fixture(scope="module")
def home(records: list[CallRecord]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", records)
        yield Path(directory)


def opened(page: Any, home: Path, **query: str) -> AppTest:
    app = AppTest.from_function(page, args=(str(home),), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def said(app: AppTest) -> str:
    return " ".join(str(each.value) for kind in (app.info, app.warning, app.error, app.caption) for each in kind)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_without_an_exception(page: Any, home: Path) -> None:
    app = opened(page, home)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_without_a_ledger_a_page_says_how_to_get_one(page: Any, tmp_path: Path) -> None:
    app = opened(page, tmp_path)
    assert "start `taximeter up`" in said(app)
    assert "taximeter invoke" in app.code[0].value
    assert not app.exception


@pytest.mark.parametrize("page", [overview_page])
def test_while_the_bookkeeper_does_not_answer_a_page_says_so(
    page: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.bookkeeper._START_S", 0.1)
    st.cache_data.clear()
    with (home / "bookkeeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        app = opened(page, home)
    assert "The ledger does not answer just now" in said(app)
    assert not app.exception


@pytest.mark.parametrize("page", [calls_page])
def test_a_newer_ledger_is_told_apart(page: Any, tmp_path: Path) -> None:
    build(tmp_path / "ledger.duckdb", [])
    with duckdb.connect(tmp_path / "ledger.duckdb") as connection:
        connection.execute("INSERT INTO schema_version (version) VALUES (99)")
    assert "install the newer Taximeter" in said(opened(page, tmp_path))


@pytest.mark.parametrize("page", [overview_page, export_page])
@pytest.mark.parametrize(
    ("period", "says"),
    [
        pytest.param("2020-01", "No calls in this period", id="empty"),
        pytest.param("soon", "Not a period: 'soon'", id="not-one"),
    ],
)
def test_periods_without_figures(page: Any, home: Path, period: str, says: str) -> None:
    app = opened(page, home, period=period)
    assert says in said(app)
    assert not app.exception


def test_the_overview_counts_every_call(home: Path, records: list[CallRecord]) -> None:
    app = opened(overview_page, home, period="Last 30 days")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Calls"] == str(len(records))
    assert set(figures) == {"Calls", "Tokens", "Cost", "Error rate", "p50 latency", "p95 latency"}


def test_every_figure_explains_itself(home: Path) -> None:
    assert all(metric.help for metric in opened(overview_page, home).metric)


def test_unpriced_calls_make_the_cost_a_lower_bound(home: Path) -> None:
    (cost,) = [
        metric.value for metric in opened(overview_page, home, period="Last 30 days").metric if metric.label == "Cost"
    ]
    assert cost.startswith("≥ $")


@pytest.mark.parametrize(
    ("query", "counted"),
    [pytest.param({}, "calls", id="of-all"), pytest.param({"provider": "openrouter"}, "attempts", id="of-a-provider")],
)
def test_what_has_no_price_is_called_what_it_is(
    home: Path, records: list[CallRecord], query: dict[str, str], counted: str
) -> None:
    told = said(pages.opened("cost", home, None, period="Last 30 days", live="false", **query))
    assert re.search(rf"\d {counted} without a known price", told)


def test_a_filter_narrows_the_list(home: Path, records: list[CallRecord]) -> None:
    app = opened(calls_page, home, period="Last 30 days")
    app.multiselect(key="status").select("refused").run()
    refused = sum(record.status == "refused" for record in records)
    assert len(app.dataframe[0].value) == refused > 0


def test_search_finds_a_call_by_a_part_of_its_id(home: Path, records: list[CallRecord]) -> None:
    app = opened(calls_page, home, period="Last 30 days")
    app.text_input(key="search").set_value(records[5].call_id[8:].lower()).run()
    (found,) = app.dataframe[0].value.to_dict("records")
    assert found["started_at"].value // 1_000 == records[5].started_ns // 1_000


def test_the_list_fits_a_screen_1280_wide(home: Path) -> None:
    table = opened(calls_page, home).dataframe[0]
    columns = json.loads(table.proto.columns)
    beside = 220 + 2 * 40 + 34  # the sidebar, both margins, the boxes to select rows by
    assert set(table.value.columns) <= columns.keys()
    assert beside + sum(columns[name]["width"] for name in table.value.columns) <= 1280


def test_older_calls_are_shown_when_asked_for(home: Path) -> None:
    app = opened(calls_page, home, period="Last 30 days")
    assert len(app.dataframe[0].value) == 100
    press(app, "Show older calls")
    assert len(app.dataframe[0].value) == 200


KINDS: dict[str, Callable[[CallRecord], bool]] = {
    "ok": lambda record: record.status == "ok",
    "refused": lambda record: record.status == "refused",
    "error": lambda record: record.status == "error",
    "cancelled": lambda record: record.status == "cancelled",
    "unpriced": lambda record: not record.cost.priced,
}


@pytest.fixture(scope="module")
def odd() -> Iterator[tuple[Path, dict[str, CallRecord]]]:
    """A call of each kind."""
    all_of_them = week(datetime.now(UTC), calls=1500)
    found = {kind: next(record for record in all_of_them if wanted(record)) for kind, wanted in KINDS.items()}
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", {record.seq: record for record in found.values()}.values())
        yield Path(directory), found


@pytest.mark.parametrize("kind", KINDS)
def test_any_call_can_be_looked_into(odd: tuple[Path, dict[str, CallRecord]], kind: str) -> None:
    home, found = odd
    app = opened(calls_page, home, call=found[kind].call_id)
    assert not app.exception
    assert found[kind].trace_id in app.table[0].value["Value"].tolist()


def test_a_call_that_fell_back_tells_why_and_each_attempt(tmp_path: Path) -> None:
    record = fallen(datetime.now(UTC))
    build(tmp_path / "ledger.duckdb", [record])
    app = opened(calls_page, tmp_path, call=record.call_id)
    assert app.info[0].value == "This provider is unavailable (anthropic: server error); routed to fallback openai"
    tried, skipped = app.dataframe[0].value, app.dataframe[1].value
    assert tried[["target", "status", "error", "http", "took"]].fillna(0).to_numpy().tolist() == [
        ["anthropic · claude-sonnet-4-5", "failed", "server error", 529, "310 ms"],
        ["anthropic · claude-sonnet-4-5", "failed", "no first token in time", 0, "10.00 s"],
        ["openai · gpt-5.2", "ok", "", 200, "2.40 s"],
    ]
    assert skipped.to_numpy().tolist() == [["groq", "llama-3.3-70b-versatile", "circuit open"]]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fallback_used": False, "fallback_reason": ""}, id="none-needed"),
        pytest.param({"status": CallStatus.ERROR}, id="none-worked"),
    ],
)
def test_no_fallback_is_told_of(tmp_path: Path, changes: dict[str, Any]) -> None:
    record = fallen(datetime.now(UTC), **changes)
    build(tmp_path / "ledger.duckdb", [record])
    assert not opened(calls_page, tmp_path, call=record.call_id).info


def test_an_unknown_call_is_said_to_be(home: Path) -> None:
    assert "There is no call `nobody`" in said(opened(calls_page, home, call="nobody"))


def test_the_way_back_from_a_call(home: Path, records: list[CallRecord]) -> None:
    app = opened(calls_page, home, call=records[-1].call_id)
    press(app, "All calls")
    assert "call" not in app.query_params
    assert app.title[0].value == "Calls"


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_an_export_is_prepared_with_its_sums(home: Path, records: list[CallRecord], form: str) -> None:
    app = opened(export_page, home, period="Last 30 days")
    app.radio(key="format").set_value(form).run()
    press(app, "Prepare the file")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Rows"] == str(len(records))
    assert not app.exception


def test_a_prepared_file_is_not_offered_for_another_question(home: Path) -> None:
    app = opened(export_page, home)
    press(app, "Prepare the file")
    app.multiselect(key="alias").select("smart").run()
    assert not app.metric


def test_a_file_too_large_for_a_browser_is_for_the_command_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.views.export.MOST_BYTES", 10)
    app = opened(export_page, home)
    press(app, "Prepare the file")
    assert "too large for a browser" in said(app)
    assert app.code[0].value.startswith("taximeter export --format csv --since ")


@pytest.mark.parametrize("by", [pytest.param("tag:team", id="as-in-the-cli"), pytest.param("Tag team", id="older-url")])
def test_usage_adds_up_to_all_calls(home: Path, records: list[CallRecord], by: str) -> None:
    app = pages.opened("usage", home, period="Last 30 days", usage_by=by)
    table = app.dataframe[0].value
    assert int(table["calls"].sum()) == len(records)
    assert set(table["team"]) == {"red", "blue", "green", "(none)"}


def test_what_is_charged_adds_up_to_the_whole_cost(home: Path, records: list[CallRecord]) -> None:
    app = pages.opened("export", home, period="Last 30 days", export_part="Chargeback")
    assert int(app.dataframe[0].value["calls"].sum()) == len(records)
    assert "untagged" in app.dataframe[0].value["team"].tolist()


@pytest.mark.parametrize(
    ("chosen", "filters"),
    [
        pytest.param({"alias": ["smart"], "model": []}, {"alias": ["smart"]}, id="only-what-narrows"),
        pytest.param({"tag": ["team=red", "team=a=b", "x=1"]}, {"tag:team": ["red", "a=b"], "tag:x": ["1"]}, id="tags"),
        pytest.param({"tag": ["team="]}, {"tag:team": [""]}, id="untagged"),
    ],
)
def test_choices_are_filters(chosen: dict[str, list[str]], filters: dict[str, list[str]]) -> None:
    assert narrowing.as_filters(chosen) == filters


def test_a_filter_that_does_not_apply_is_told_of(home: Path) -> None:
    assert "Not narrowed by Status" in said(pages.opened("cost", home, status="ok"))

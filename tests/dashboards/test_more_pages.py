"""The other pages, run as Streamlit runs them without a browser: what they show, and what they say when they cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from sidecar.core.call import CallRecord
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import ns
from tests.support.analytics_week import week
from tests.support.standing import USD, alert, budget, standing

PAGES = ("budgets", "fallbacks", "latency", "errors", "providers", "keys", "quality")
OF_CALLS = ("fallbacks", "latency", "errors", "quality")


@pytest.fixture(scope="module")
def records() -> list[CallRecord]:
    return week(datetime.now(UTC), calls=400)


@pytest.fixture(scope="module")
def home(records: list[CallRecord]) -> Iterator[Path]:
    fullest = budget("fast", "tokens", 1000, 990, scope="alias", subject="fast")
    budgets = [budget("month", "usd", 10 * USD, 2 * USD), fullest, budget("theirs", "usd", USD, 0, workspace="acme")]
    told = journal_pb2.TargetState(
        provider="groq", model="llama", circuit="OPEN", requests=10, errors=4, last_error_type="timeout",
        last_error_ns=ns(datetime.now(UTC)),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        standing(Path(directory) / "ledger.duckdb", records, budgets, [alert(fullest, "soft")], [told])
        yield Path(directory)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """No answer of another test's ledger."""
    st.cache_data.clear()


def _page(home: str, name: str, workspace: str | None, token: str) -> None:
    import importlib

    from dashboards.context import Context, Viewer

    who = Viewer(workspace, "operator" if workspace is None else "viewer", "someone", token)
    importlib.import_module(f"dashboards.views.{name}").show(Context(home, who=who))


def opened(name: str, home: Path, workspace: str | None = None, token: str = "", **query: str) -> AppTest:
    app = AppTest.from_function(_page, args=(str(home), name, workspace, token), default_timeout=30)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def said(app: AppTest) -> str:
    kinds = (app.info, app.warning, app.error, app.caption, app.markdown, app.subheader)
    return " ".join(str(each.value) for kind in kinds for each in kind)


def figures(app: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in app.metric}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_and_every_figure_explains_itself(name: str, home: Path) -> None:
    app = opened(name, home)
    assert not app.exception
    assert not app.error
    assert all(metric.help for metric in app.metric)


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("keys", "providers")])
def test_without_a_ledger_a_page_says_how_to_get_one(name: str, tmp_path: Path) -> None:
    app = opened(name, tmp_path)
    assert "start `taximeter up`" in said(app)
    assert not app.exception


@pytest.mark.parametrize("name", PAGES)
def test_a_viewer_sees_their_workspace_only(name: str, home: Path) -> None:
    app = opened(name, home, workspace="acme")
    assert not app.exception
    assert "groq" not in str([frame.value for frame in app.dataframe])
    if name in OF_CALLS:  # it has none
        assert "No calls in this period" in said(app)


@pytest.mark.parametrize("name", ["keys", "providers"])
def test_without_a_sidecar_it_is_said_how_to_start_it(name: str, home: Path) -> None:
    app = opened(name, home)
    assert "No sidecar is running here" in said(app)
    assert any(code.value == "taximeter up" for code in app.code)


def test_budgets_are_shown_the_fullest_first_with_their_alerts(home: Path) -> None:
    app = opened("budgets", home)
    table = app.dataframe[0].value
    assert table["name"].to_list() == ["fast", "month", "theirs"]
    assert table["state"].to_list() == ["▲ soft alert", "✓ ok", "✓ ok"]
    assert table["spent"].to_list() == ["990 of 1,000 tokens", "$2.00 of $10.00", "$0 of $1.00"]
    assert figures(app)["Soft alert"] == "1"
    assert "**990 of 1,000 tokens** spent; 10 left." in said(app)
    assert app.dataframe[1].value["threshold"].to_list() == ["▲ soft"]


def test_a_viewers_budgets_are_their_workspaces(home: Path) -> None:
    app = opened("budgets", home, workspace="acme")
    assert app.dataframe[0].value["name"].to_list() == ["theirs"]
    assert "workspace" not in app.dataframe[0].value


def test_without_budgets_it_says_what_to_type(home: Path) -> None:
    app = opened("budgets", home, workspace="nobody")
    assert "There are no budgets" in said(app)
    assert "taximeter budgets create --usd 100" in app.code[0].value


def test_fallbacks_are_counted_as_they_were_recorded(home: Path, records: list[CallRecord]) -> None:
    app = opened("fallbacks", home, period="Last 30 days")
    fell = [record for record in records if record.fallback_used]
    assert figures(app)["Rescued calls"] == str(sum(record.status == "ok" for record in fell))
    assert sum(app.dataframe[-1].value["fallbacks"]) == len(fell)


def test_errors_are_counted_as_they_were_recorded(home: Path, records: list[CallRecord]) -> None:
    app = opened("errors", home, period="Last 30 days")
    expected = sum(record.status in ("error", "refused", "abandoned") for record in records)
    assert figures(app)["Errors"] == str(expected)
    assert sum(app.dataframe[0].value["calls"]) == expected


@pytest.mark.parametrize(("period", "badge"), [("24h", "exact"), ("Last 7 days", "±2 %")])
def test_latency_says_how_sure_it_is(home: Path, period: str, badge: str) -> None:
    assert badge in said(opened("latency", home, period=period))


def test_latency_is_exact_where_that_is_asked(home: Path) -> None:
    app = opened("latency", home, exact="true")
    assert "green-badge[exact]" in said(app)


def test_what_sidecars_said_last_is_shown_with_its_time(home: Path) -> None:
    app = opened("providers", home)
    told = next(frame.value for frame in app.dataframe if "circuit" in frame.value)
    assert told["circuit"].to_list() == ["✗ open"]
    assert told["success"].to_list() == [0.6]
    assert "What sidecars said last, at" in said(app)


def test_who_sees_one_workspace_without_a_token_is_not_told_of_the_operators_providers(home: Path) -> None:
    app = opened("providers", home, workspace="default")
    assert "shown to those who sign in with a token" in said(app)
    assert not any("circuit" in frame.value for frame in app.dataframe)


def test_unpriced_calls_come_with_what_to_type(home: Path, records: list[CallRecord]) -> None:
    app = opened("quality", home, period="Last 30 days")
    assert figures(app)["Without a price"] == str(sum(not record.cost.priced for record in records))
    assert any(code.value.startswith("taximeter prices set openrouter 'acme/whisper-ultra'") for code in app.code)


def test_figures_not_narrowed_by_a_filter_say_so(home: Path) -> None:
    app = opened("fallbacks", home, provider="groq")
    assert "All but the flow is not narrowed by Provider" in said(app)
    assert not app.exception

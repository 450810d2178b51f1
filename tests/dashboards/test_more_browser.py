"""The other pages in a real browser, beside a sidecar that runs: each loaded once, and looked at in all its looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import BrowserContext, Page, expect
from streamlit.testing.v1 import AppTest

from tests.support.browser import chromium, dashboard, looked_at, needs_chromium, whole
from tests.support.living import SECRET, TENANT, Living, living

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), needs_chromium]


@pytest.fixture(scope="module")
def home() -> Iterator[Living]:
    with living(1200) as made:
        yield made


@pytest.fixture(scope="module")
def url(home: Living) -> Iterator[str]:
    with dashboard(home.home) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    with chromium() as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


PAGES = {
    "budgets": ("", "Burn-down of calls a day"),
    "fallbacks": ("", "Flow of "),
    "latency": ("&compare=true", "Line chart of duration over time"),
    "errors": ("", "Heat map of the share of errors"),
    "providers": ("", "Table of targets: circuit"),
    "keys-aliases": (f"&of={TENANT}", "Table of the workspace's provider keys, masked"),
    "data-quality": ("", "Table by provider and model"),
}
"""Path -> what is asked, and what a screen reader finds there."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_in_all_its_looks(url: str, page: Page, name: str) -> None:
    asked, told = PAGES[name]
    page.goto(f"{url}/{name}?live=false{asked}")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(f"[aria-label^={told!r}]").or_(page.get_by_text(told)).first).to_be_attached()
    whole(page)
    looked_at(page, name)
    assert SECRET not in page.content()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_errors_lead_to_their_calls(url: str, page: Page) -> None:
    page.goto(f"{url}/errors?live=false&alias=fast")
    page.get_by_role("link", name="See these calls").click()
    expect(page.get_by_role("heading", name="Calls")).to_be_visible()
    expect(page.get_by_text(re.compile("Status: error, refused, abandoned")).first).to_be_visible()
    whole(page)


def _page(home: str, name: str, workspace: str | None, token: str) -> None:
    import importlib

    from dashboards.context import Context, Viewer

    importlib.import_module(f"dashboards.views.{name}").show(Context(home, who=Viewer(workspace, "viewer", "v", token)))


def opened(home: Path, name: str, workspace: str | None = None, token: str = "") -> AppTest:
    st.cache_data.clear()
    return AppTest.from_function(_page, args=(str(home), name, workspace, token), default_timeout=30).run()


def test_a_tenants_viewer_sees_their_keys_and_not_the_operators(home: Living) -> None:
    app = opened(home.home, "keys", TENANT, home.viewer)
    keys, aliases = (frame.value for frame in app.dataframe)
    assert keys["masked"].to_list() == ["sk-...ghij"]
    assert keys["limit"].to_list() == ["$50.00"]
    assert "summaries" in aliases["alias"].to_list()
    assert "sk-...0000" not in str([keys, aliases])


def test_the_operator_sees_their_own_providers_masked(home: Living) -> None:
    app = opened(home.home, "keys")
    providers = app.dataframe[-1].value
    assert providers[providers["name"] == "loop"]["masked"].to_list() == ["sk-...0000"]


def test_providers_are_told_by_the_running_sidecar(home: Living) -> None:
    app = opened(home.home, "providers")
    targets = app.dataframe[0].value
    assert targets["target"].to_list() == ["loop · plain"]
    assert targets["success"].to_list() == [1.0]
    assert {metric.label: metric.value for metric in app.metric}["Providers usable"] == "1 of 1"


def test_a_tenant_is_not_told_how_much_others_use_a_provider(home: Living) -> None:
    app = opened(home.home, "providers", TENANT, home.viewer)
    assert not app.exception
    assert all(frame.value["requests"].isna().all() for frame in app.dataframe if "circuit" in frame.value)


def test_a_budget_that_only_alerts_says_so(home: Living) -> None:
    table = opened(home.home, "budgets").dataframe[0].value
    states = dict(zip(table["name"], table["state"], strict=True))
    assert states["calls a day"] == "✗ used up (only alerts)"
    assert {"the month", "fast tokens", "monthly limits"} < set(states)


def test_with_a_token_that_is_not_good_any_more_it_says_so(home: Living) -> None:
    app = opened(home.home, "keys", TENANT, "txm_nobody_nothing")
    assert "The sidecar does not tell this" in str([warning.value for warning in app.warning])
    assert not app.exception

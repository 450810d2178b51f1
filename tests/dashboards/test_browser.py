"""The dashboard as a person meets it: a real process, a real browser, a week of calls."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sidecar.core.call import CallRecord
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.browser import ARGUMENTS, CHROMIUM, SCREENSHOTS, dashboard, needs_chromium

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), needs_chromium]

Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def records() -> list[CallRecord]:
    return week(datetime.now(UTC), calls=2000)


@pytest.fixture(scope="module")
def url(records: list[CallRecord]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", records)
        with dashboard(Path(directory), trace_url="http://traces.example/{trace_id}") as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    contexts = []

    def go(address: str, scheme: Literal["light", "dark"] = "light", width: int = 1280, height: int = 900) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(address)
        expect(page.locator("h1")).to_be_visible(timeout=30_000)
        return page

    yield go
    for context in contexts:
        context.close()


def whole(page: Page) -> None:
    """Waits until everything stands there, and nothing is an error."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=30_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)


def keep(page: Page, name: str) -> None:
    """A picture of the whole page, as tall as it is."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width = (page.viewport_size or {"width": 1280})["width"]
    tall = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": max(600, min(int(tall) + 20, 4500))})
    for chart in page.get_by_test_id("stVegaLiteChart").all():
        expect(chart.locator("canvas, svg").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


PAGES = {"overview": ("", "Over time"), "calls": ("calls", "Select a row"), "export": ("export", "Prepare the file")}
LOOKS: list[Any] = [
    pytest.param("light", 1280, id="light"),
    pytest.param("dark", 1280, id="dark"),
    pytest.param("light", 390, id="phone"),
]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands(url: str, opened: Opener, name: str, scheme: str, width: int) -> None:
    path, shows = PAGES[name]
    page = opened(f"{url}/{path}", scheme, width)
    expect(page.get_by_text(shows).first).to_be_visible()
    whole(page)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    keep(page, f"{name}-{'phone' if width < 500 else scheme}")


def test_the_overview_is_about_what_the_url_asks(url: str, opened: Opener) -> None:
    page = opened(f"{url}/?period=24h&measure=Cost&by=By+alias", "dark")
    expect(page.get_by_role("radio", name="Cost")).to_be_checked()
    expect(page.get_by_role("radio", name="By alias")).to_be_checked()
    whole(page)
    keep(page, "overview-cost-by-alias-dark")


def test_a_choice_goes_into_the_url_and_along_to_other_pages(url: str, opened: Opener) -> None:
    page = opened(url)
    page.get_by_role("combobox", name="Period").click()
    page.get_by_role("option", name="Last 30 days").click()
    expect(page).to_have_url(re.compile(r"period=Last\+30\+days"))
    page.get_by_role("link", name="Calls").click()
    expect(page.get_by_role("heading", name="Calls")).to_be_visible()
    expect(page.get_by_role("combobox", name="Period")).to_have_value("Last 30 days")


def test_a_filter_narrows_the_list(url: str, opened: Opener, records: list[CallRecord]) -> None:
    page = opened(f"{url}/calls?period=Last+30+days")
    page.get_by_role("combobox", name="Status").click()
    page.get_by_role("option", name="refused").click()
    refused = sum(record.status == "refused" for record in records)
    expect(page.get_by_text(f"{refused} calls. Select a row")).to_be_visible()
    whole(page)
    keep(page, "calls-filtered")


def test_a_row_leads_into_its_call_and_back(url: str, opened: Opener, records: list[CallRecord]) -> None:
    fallen = next(record for record in reversed(records) if record.fallback_used and record.status == "ok")
    page = opened(f"{url}/calls?period=Last+30+days&search={fallen.call_id}")
    expect(page.get_by_text("1 call. Select a row")).to_be_visible()
    page.get_by_test_id("stDataFrame").locator("canvas").first.click(position={"x": 16, "y": 52}, force=True)
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(page).to_have_url(re.compile(f"call={fallen.call_id}"))
    expect(page.get_by_text(fallen.trace_id)).to_be_visible()
    link = page.get_by_role("link", name="Open the trace")
    expect(link).to_have_attribute("href", f"http://traces.example/{fallen.trace_id}")
    page.get_by_role("button", name="All calls").click()
    expect(page.get_by_text("Select a row")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_call_stands(url: str, opened: Opener, records: list[CallRecord], scheme: str, width: int) -> None:
    fallen = next(record for record in reversed(records) if record.fallback_used and record.status == "ok")
    page = opened(f"{url}/calls?call={fallen.call_id}", scheme, width)
    expect(page.get_by_text(fallen.trace_id)).to_be_visible()
    whole(page)
    keep(page, f"call-{'phone' if width < 500 else scheme}")


@pytest.mark.parametrize(("form", "ending"), [("CSV", "csv"), ("Parquet", "parquet"), ("JSON lines", "jsonl")])
def test_a_download_is_what_its_manifest_says(
    url: str, opened: Opener, records: list[CallRecord], form: str, ending: str
) -> None:
    page = opened(f"{url}/export?period=Last+30+days")
    page.get_by_role("radio", name=form).check(force=True)
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as file:
        page.get_by_role("button", name="Download the file").click()
    with page.expect_download() as beside:
        page.get_by_role("button", name="Download its manifest").click()
    content = Path(file.value.path()).read_bytes()
    manifest = json.loads(Path(beside.value.path()).read_bytes())
    assert file.value.suggested_filename.endswith(f".{ending}")
    assert manifest["rows"] == len(records)
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    whole(page)
    keep(page, f"export-ready-{ending}")


def test_without_a_ledger_it_says_how_to_get_one(opened: Opener) -> None:
    with tempfile.TemporaryDirectory(prefix="tx") as directory, dashboard(Path(directory)) as empty:
        page = opened(empty)
        expect(page.get_by_text("Nothing has been recorded yet")).to_be_visible()
        whole(page)
        keep(page, "empty")


def test_a_live_page_shows_the_first_call_by_itself(opened: Opener, records: list[CallRecord]) -> None:
    with tempfile.TemporaryDirectory(prefix="tx") as directory, dashboard(Path(directory)) as empty:
        page = opened(f"{empty}/calls")
        expect(page.get_by_text("Nothing has been recorded yet")).to_be_visible()
        build(Path(directory) / "ledger.duckdb", records[-1:])
        expect(page.get_by_text("1 call. Select a row")).to_be_visible(timeout=20_000)

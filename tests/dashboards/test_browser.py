"""The dashboard as a person meets it: a real process, a real browser, a week of calls.

A page is loaded once and looked at in all its looks: loading is what takes time.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sidecar.core.call import CallRecord
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.browser import chromium, dashboard, looked_at, needs_chromium, whole

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), needs_chromium]


@pytest.fixture(scope="module")
def records() -> list[CallRecord]:
    return week(datetime.now(UTC), calls=1500)


@pytest.fixture(scope="module")
def url(records: list[CallRecord]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", records)
        with dashboard(Path(directory), trace_url="http://traces.example/{trace_id}") as address:
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


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("h1")).to_be_visible()
    return page


PAGES = {
    "overview": ("overview?measure=Cost&by=By+alias", "Over time"),
    "usage": ("usage?usage_by=model", "Download this table as CSV"),
    "cost": ("cost?period=Last+30+days", "Token mix"),
    "cost-saving": ("cost?cost_part=Saving", "Over time"),
    "calls": ("calls", "Select a row"),
    "exports": ("exports", "Prepare the file"),
    "exports-chargeback": ("exports?export_part=Chargeback", "Together"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_light_dark_and_narrow(url: str, page: Page, name: str) -> None:
    path, shows = PAGES[name]
    opened(page, f"{url}/{path}")
    expect(page.get_by_text(shows).first).to_be_visible()
    whole(page)
    expect(page.get_by_test_id("stAlert").filter(has_not_text="Nothing")).to_have_count(0)
    looked_at(page, name)


def test_a_choice_goes_into_the_url_and_along_to_other_pages(url: str, page: Page) -> None:
    opened(page, url)
    page.get_by_role("combobox", name="Period").click()
    page.get_by_role("option", name="Last 30 days").click()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("combobox", name="Provider").click()
    page.get_by_role("option", name="groq").click()
    expect(page).to_have_url(re.compile(r"period=Last\+30\+days&provider=groq"))
    whole(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    for name in ("Usage", "Calls"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        expect(page.get_by_role("combobox", name="Period")).to_have_value("Last 30 days")
        expect(page.get_by_role("button", name="Filters (1)")).to_be_visible()
        expect(page.get_by_text("Provider: groq")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Provider: groq")).to_be_visible()
    expect(page).to_have_url(re.compile(r"calls\?.*provider=groq"))


def test_a_filter_narrows_the_list(url: str, page: Page, records: list[CallRecord]) -> None:
    opened(page, f"{url}/calls?period=Last+30+days&status=refused&live=false")
    refused = sum(record.status == "refused" for record in records)
    expect(page.get_by_text(f"{refused} calls. Select a row")).to_be_visible()


def test_a_row_leads_into_its_call_and_back(url: str, page: Page, records: list[CallRecord]) -> None:
    fallen = next(record for record in reversed(records) if record.fallback_used and record.status == "ok")
    opened(page, f"{url}/calls?period=Last+30+days&alias={fallen.alias}&search={fallen.call_id}")
    expect(page.get_by_text("1 call. Select a row")).to_be_visible()
    page.get_by_test_id("stDataFrame").locator("canvas").first.click(position={"x": 16, "y": 52}, force=True)
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(page).to_have_url(re.compile(f"call={fallen.call_id}"))
    expect(page.get_by_text(fallen.trace_id)).to_be_visible()
    link = page.get_by_role("link", name="Open the trace")
    expect(link).to_have_attribute("href", f"http://traces.example/{fallen.trace_id}")
    whole(page)
    looked_at(page, "call")
    page.get_by_role("button", name="All calls").click()
    expect(page.get_by_text("1 call. Select a row")).to_be_visible()
    expect(page.get_by_text(f"Alias: {fallen.alias}")).to_be_visible()


def test_a_download_is_what_its_manifest_says(url: str, page: Page, records: list[CallRecord]) -> None:
    opened(page, f"{url}/exports?period=Last+30+days")
    for form, ending in (("CSV", "csv"), ("Parquet", "parquet"), ("JSON lines", "jsonl")):
        page.get_by_role("radio", name=form).check(force=True)
        page.get_by_role("button", name="Prepare the file").click()
        expect(page.get_by_text(re.compile(rf"\.{ending} is ready"))).to_be_visible()
        whole(page)  # until then the button may still be that of the file before
        with page.expect_download() as file:
            page.get_by_role("button", name="Download the file").click()
        content = Path(file.value.path()).read_bytes()
        with page.expect_download() as beside:
            page.get_by_role("button", name="Download its manifest").click()
        manifest = json.loads(Path(beside.value.path()).read_bytes())
        assert file.value.suggested_filename.endswith(f".{ending}")
        assert manifest["rows"] == len(records)
        assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    whole(page)
    looked_at(page, "exports-ready")


def test_a_first_call_shows_by_itself_where_nothing_was(page: Page, records: list[CallRecord]) -> None:
    with tempfile.TemporaryDirectory(prefix="tx") as directory, dashboard(Path(directory)) as empty:
        opened(page, f"{empty}/calls")
        expect(page.get_by_text("Nothing has been recorded yet")).to_be_visible()
        looked_at(page, "empty")
        build(Path(directory) / "ledger.duckdb", records[-1:])
        expect(page.get_by_text("1 call. Select a row")).to_be_visible()

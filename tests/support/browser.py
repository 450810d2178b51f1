"""The dashboard in a process of its own, and an installed Chromium to look at it with."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from dashboards import launch

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), "")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="NO CHROMIUM INSTALLED: the dashboard was not looked at. Debian: apt-get install chromium"
)
SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"


@contextmanager
def dashboard(
    home: Path, *, trace_url: str = "", login: str = "none", secrets: Path | None = None, port: int = 0
) -> Iterator[str]:
    """Its URL. Ends the process it started. Its log stands beside `home`'s ledger."""
    port = port or free_port()
    log = (home / "dashboard.log").open("wb")
    process = subprocess.Popen(
        launch.command(home, "127.0.0.1", port, trace_url=trace_url, login=login, secrets=secrets),
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=home,
    )
    try:
        _await_health(f"http://127.0.0.1:{port}/_stcore/health", process, home / "dashboard.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@contextmanager
def chromium(scheme: Literal["light", "dark"] = "light") -> Iterator[BrowserContext]:
    """A browser whose pages are a desk's screen wide."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        yield context
        browser.close()


def whole(page: Page) -> None:
    """Waits until everything stands there, and nothing is an error."""
    for unfinished in ("stStatusWidget", "stSkeleton"):
        expect(page.get_by_test_id(unfinished)).to_have_count(0)
    for trouble in ("stException", "stToast"):
        expect(page.get_by_test_id(trouble)).to_have_count(0)


def looked_at(page: Page, name: str) -> None:
    """Pictures of the whole page as it stands: light, dark, and as narrow as a phone. Leaves it light and wide."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for look, scheme, width in _LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        tall = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": width, "height": max(600, min(int(tall) + 20, 4500))})
        page.wait_for_function(_SIDEBAR_STANDS)
        for chart in page.get_by_test_id("stVegaLiteChart").all():
            expect(chart.locator("canvas, svg").first).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


_SIDEBAR_STANDS = """() => {
  const sidebar = document.querySelector('[data-testid=stSidebar]');
  return !sidebar || window.innerWidth > 640 || sidebar.getBoundingClientRect().right <= 0;
}"""
"""On a telephone it slides out of sight: then it is not in the picture."""
_LOOKS: tuple[tuple[str, Literal["light", "dark"], int], ...] = (
    ("light", "light", 1280),
    ("dark", "dark", 1280),
    ("phone", "light", 390),
)


class Looked:
    """A page with a Calls card, and everything in it that ever looked like trouble."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def count(self) -> int:
        """The Calls card's figure. Waits until it stands there."""
        card = self._page.get_by_test_id("stMetric").filter(has_text="Calls").first
        return int(card.get_by_test_id("stMetricValue").inner_text().replace(",", ""))

    def wait(self, ms: int) -> None:
        self._page.wait_for_timeout(ms)

    def alerts(self) -> list[str]:
        """Texts of all alerts, exceptions and toasts since the page was opened, gone or not."""
        return list(self._page.evaluate("() => window.troubles"))


_OBSERVER = """
window.troubles = [];
const trouble = ["stAlert", "stException", "stToast", "stConnectionStatus"].map(id => `[data-testid=${id}]`).join();
new MutationObserver(changes => {
  for (const change of changes) for (const node of change.addedNodes) {
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    if (node.matches(trouble)) window.troubles.push(node.textContent);
    for (const inside of node.querySelectorAll(trouble)) window.troubles.push(inside.textContent);
  }
}).observe(document, {childList: true, subtree: true});
"""


@contextmanager
def watched(url: str) -> Iterator[Looked]:
    """The page at `url` in a browser of its own, watched from its first moment on."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.add_init_script(_OBSERVER)
        page.goto(url)
        yield Looked(page)
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the dashboard never answered: {log.read_text()}")

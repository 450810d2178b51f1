"""How long until a page of the dashboard is shown: `python -m benchmarks.pages --home HOME [--period "Last 7 days"]`.

Measured in Chromium, from the start of the navigation until Streamlit's script has ended and figures stand there. The
server is warm (each page was opened once, for another period), no answer is kept from an earlier look.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Error, Page

from tests.support.browser import chromium, dashboard

PATHS = ("", "usage", "cost", "budgets", "exports", "fallbacks", "latency", "errors", "providers", "calls",
         "keys-aliases", "data-quality")  # fmt: skip
WARM = "Last 90 days"
"""Another period, with calls: the browser has then what it draws charts with."""
LOOKS = 3
KEPT_S = 62.0
"""Longer than any answer is kept."""

_WATCH = """
window.shown = null;
setInterval(() => {
  const app = document.querySelector('[data-testid=stApp]');
  const done = app && app.getAttribute('data-test-script-state') === 'notRunning' && document.querySelector('h1')
    && !document.querySelector('[data-testid=stSkeleton]') && ['Metric', 'DataFrame', 'VegaLiteChart', 'Alert', 'Radio']
      .some(kind => document.querySelector(`[data-testid=st${kind}]`));
  if (!done) window.shown = null; else if (window.shown === null) window.shown = performance.now();
}, 10);
"""
_STILL = "window.shown !== null && performance.now() - window.shown > 400"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--period", action="append")
    parser.add_argument("--looks", type=int, default=LOOKS)
    given = parser.parse_args()
    print(table(given.home, given.period or ["Last 7 days", "Last 30 days"], given.looks), flush=True)


def table(home: Path, periods: list[str], looks: int) -> str:
    """A row a page, seconds: the median of some looks, and the longest."""
    found: dict[str, dict[str, list[float]]] = {path: {period: [] for period in periods} for path in PATHS}
    with dashboard(home) as url, chromium() as context:
        page = context.new_page()
        page.add_init_script(_WATCH)
        for path in PATHS:
            shown_s(page, url, path, WARM)
        for look in range(looks):
            time.sleep(KEPT_S if look else 0)
            for path in PATHS:
                for period in periods:
                    found[path][period].append(shown_s(page, url, path, period))
    head = ["| page |", *(f" {period} |" for period in periods), "\n|---|", *("---:|" for _ in periods)]
    return "".join(head) + "\n" + "\n".join(_rows(found))


def _rows(found: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    for path, times in found.items():
        cells = (f" {statistics.median(each):.2f} s (max {max(each):.2f}) |" for each in times.values())
        yield f"| {path or 'overview'} |{''.join(cells)}"


def shown_s(page: Page, url: str, path: str, period: str) -> float:
    """Opens the page, and waits until it is shown; infinite, if it is not within a minute."""
    page.goto(f"{url}/{path}?period={period.replace(' ', '+')}&live=false")
    try:
        page.wait_for_function(_STILL, timeout=60_000)
    except Error:
        return math.inf
    return float(page.evaluate("window.shown")) / 1000


if __name__ == "__main__":
    main()

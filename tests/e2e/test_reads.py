"""Reads while the journal receives 500 calls a second. `make bench` has the figures; here only gross failure fails."""

from __future__ import annotations

import pytest

from benchmarks.visibility import Seen, figures, measure
from tests.support.browser import needs_chromium

pytestmark = [pytest.mark.xdist_group("heavy"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def seen() -> Seen:
    found = measure(7.0)
    print(*(f"{what}: {figure}" for what, figure in figures(found)), sep="\n")
    return found


def test_no_read_fails(seen: Seen) -> None:
    assert seen.failed == []
    assert seen.reads > 25


def test_every_call_is_in_the_ledger_once(seen: Seen) -> None:
    assert seen.written >= 2500
    assert (seen.rows, seen.calls) == (seen.written, seen.written)


def test_every_call_is_seen_soon(seen: Seen) -> None:
    assert len(seen.lag_s) >= seen.written - 100  # those written before the watch began
    assert seen.percentiles_s[98] <= 10


@needs_chromium
@pytest.mark.browser
def test_the_open_page_counts_on(seen: Seen) -> None:
    assert seen.shown == sorted(seen.shown)
    assert seen.shown[0] < seen.shown[-1] == seen.written

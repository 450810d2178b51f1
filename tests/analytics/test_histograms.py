"""Percentiles out of bins are within 2 % of the exact ones."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.histograms import SHARES, bin_of, has, middle_ms, percentile, percentiles_question
from analytics.question import BadQuestion
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Target
from tests.support.analytics import START, ask, build, ns, settled

LEAST_MS = 0.001
HOUR_MS = 3_600_000.0


def exact(times: Sequence[float], share: float) -> float:
    """As quantile_cont."""
    if len(times) == 1:
        return times[0]
    return statistics.quantiles(times, n=100, method="inclusive")[round(share * 100) - 1]


def binned(times: Sequence[float]) -> pl.DataFrame:
    return pl.DataFrame({"bin": [bin_of(ms) for ms in times], "times": [1] * len(times)})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(LEAST_MS, 30 * HOUR_MS), min_size=1, max_size=60), st.sampled_from(list(SHARES.values())))
def test_a_percentile_is_within_2_percent(times: list[float], share: float) -> None:
    assert percentile(binned(times), share) == pytest.approx(exact(times, share), rel=0.02)


NASTY = {
    "one-time": [123.4],
    "the-same-often": [7.0] * 50,
    "two-far-apart": [0.5, 30_000.0],
    "nineteen-and-one": [10.0] * 19 + [HOUR_MS],
    "no-time-at-all": [0.0, 0.0, 0.0],
    "microseconds": [0.001, 0.002, 0.003, 0.017],
    "hours": [HOUR_MS, 2 * HOUR_MS, 23 * HOUR_MS],
    "ends-of-bins": [1.04**n for n in range(40)],
}


@pytest.mark.parametrize("times", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES.keys())
def test_nasty_times(times: list[float], share: float) -> None:
    assert percentile(binned(times), share) == pytest.approx(exact(times, share), rel=0.02, abs=LEAST_MS)


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile(pl.DataFrame({"bin": [1], "times": [0]}), 0.5) is None


def test_bins_are_summed_wherever_they_stand() -> None:
    apart = pl.DataFrame({"bin": [90, 10, 90, 10], "times": [1, 2, 3, 4]})
    assert percentile(apart, 0.5) == middle_ms(10)


def test_bins_are_the_ledgers() -> None:
    sql = "SELECT ms, ceil(ln(greatest(ms, 0.001)) / ln(1.04)) FROM unnest([0.0, 0.001, 1.0, 1.04, 17.3, 4e6]) t(ms)"
    with duckdb.connect() as connection:
        assert [(ms, bin_of(ms)) for ms, _ in connection.execute(sql).fetchall()] == connection.execute(sql).fetchall()


def call(seq: int, started_ns: int, ms: float, provider: str) -> CallRecord:
    attempt = Attempt(1, Target(provider, "m"), "openai", AttemptStatus.OK, started_ns, started_ns + round(ms * 1e6),
                      first_token_ns=started_ns + round(ms * 5e5))  # fmt: skip
    return settled(seq, started_ns, [attempt], CallStatus.OK, streamed=True, overhead_ns=round(ms * 1e4))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each list of nasty times is a provider's, spread over days, most of which are summed up."""
    home = tmp_path_factory.mktemp("histograms")
    records = [
        call(100 * place + n, ns(START + timedelta(hours=5 * n)), ms, name)
        for place, (name, times) in enumerate(NASTY.items())
        for n, ms in enumerate(times)
    ]
    return build(home / "ledger.duckdb", records, START.date() + timedelta(days=3))


@pytest.mark.parametrize(
    ("measure", "of"), [("duration", 1.0), ("attempt", 1.0), ("first_token", 0.5), ("overhead", 0.01)]
)
def test_the_ledger_answers_as_the_frame_does(ledger: Path, measure: str, of: float) -> None:
    rows = ask(ledger, percentiles_question(START, START + timedelta(days=30), measure, ["provider"]))
    assert {row["provider"]: row["times"] for row in rows} == {name: len(times) for name, times in NASTY.items()}
    for row in rows:
        for name, share in SHARES.items():
            expected = exact([of * ms for ms in NASTY[row["provider"]]], share)
            assert row[f"{name}_ms"] == pytest.approx(expected, rel=0.021, abs=2 * LEAST_MS)


def test_without_a_group_there_is_one_row_even_of_nothing(ledger: Path) -> None:
    (row,) = ask(ledger, percentiles_question(START - timedelta(days=9), START, "duration"))
    assert row == {"times": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}


def test_what_is_not_timed_is_named() -> None:
    with pytest.raises(BadQuestion, match="'patience' is not timed"):
        percentiles_question(START, START + timedelta(days=1), "patience")


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (("day", "provider", "status"), True),
        ((), True),
        (("hour",), False),
        (("caller",), False),
        (("tag:team",), False),
    ],
)  # fmt: skip
def test_what_bins_are_known_by(names: tuple[str, ...], known: bool) -> None:
    assert has(names) is known

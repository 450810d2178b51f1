"""Providers on like calls: what is compared, with what weights, and what is not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.period import Period
from analytics.providers import COLUMNS, compared, side_by_side
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from tests.support.analytics import START
from tests.support.reported import Try, call, ledger_of

SPAN = Period(START, START + timedelta(days=1))
LONG: dict[str, Any] = {"tokens_in": 5000, "tokens_out": 500}


def asked(alias: str, times: int, each: Try) -> list[tuple[str, Try]]:
    return [(alias, each)] * times


# anthropic gets long prompts mostly, groq short ones: side by side, as if both had had 50 of each.
CALLS = [
    *asked("smart", 10, Try("anthropic", "claude", ms=2000)),
    *asked("smart", 40, Try("anthropic", "claude", ms=8000, **LONG)),
    *asked("smart", 40, Try("groq", "llama", ms=500)),
    *asked("smart", 10, Try("groq", "llama", ms=1000, **LONG)),
    *asked("smart", 50, Try("groq", "llama", ok=False)),
    *asked("drafts", 50, Try("groq", "llama", ms=100)),
    *asked("fast", 20, Try("openai", "gpt")),
    *asked("fast", 3, Try("groq", "llama")),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    home = tmp_path_factory.mktemp("home")
    records = [call(seq, START + timedelta(minutes=seq), [each], alias=alias)
               for seq, (alias, each) in enumerate(CALLS)]  # fmt: skip
    ledger_of(home / "ledger.duckdb", records)
    return open_source(home)


def row(frame: pl.DataFrame, target: str) -> dict[str, Any]:
    (found,) = frame.filter(pl.col("target") == target).to_dicts()
    return found


@pytest.fixture(scope="module")
def sides(source: Source) -> pl.DataFrame:
    return compared(source, SPAN, least=10)


def test_only_those_with_enough_like_calls_are_a_pair(sides: pl.DataFrame) -> None:
    assert sides["pair"].to_list() == ["anthropic / groq"] * 2


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        # As it was, anthropic took 6,800 ms on average and groq 600: on like calls 5,000 and 750.
        pytest.param("anthropic", "mean_ms", 5000, id="both sizes weigh alike"),
        pytest.param("groq", "mean_ms", 750, id="for the other as well"),
        pytest.param("groq", "success_share", 0.5, id="failed attempts have no prompt, so by alias"),
        pytest.param("anthropic", "success_share", 1, id="none failed"),
        pytest.param("groq", "attempts", 100, id="attempts of shared aliases"),
        pytest.param("groq", "overlap", 50 / 103, id="the rest is told of"),
        pytest.param("anthropic", "overlap", 1, id="all of it is alike"),
        pytest.param("groq", "strata", 2, id="short and long prompts"),
    ],
)
def test_figures_are_of_like_calls(sides: pl.DataFrame, target: str, name: str, value: float) -> None:
    assert row(sides, target)[name] == pytest.approx(value)


def test_money_is_exact(sides: pl.DataFrame) -> None:
    # (1000 in, 100 out) and (5000 in, 500 out), half each, at $3 and $15: mean of $0.0045 and $0.0225.
    assert row(sides, "anthropic")["usd_per_1k"] == Decimal("13.5")
    assert row(sides, "groq")["usd_per_1m_tokens"] == Decimal("0.545454545455")


def test_percentiles_weigh_as_the_means_do(sides: pl.DataFrame) -> None:
    found = row(sides, "anthropic")
    assert found["p50_ms"] == pytest.approx(2000, rel=0.02)
    assert found["p95_ms"] == pytest.approx(8000, rel=0.02)


_CLASS = st.tuples(st.integers(30, 10**6), st.integers(30, 10**6), st.floats(1, 1e5))


@settings(max_examples=40, deadline=None)
@given(st.lists(_CLASS, min_size=1, max_size=6))
def test_who_is_alike_on_every_size_is_alike_whatever_the_mix(sizes: list[tuple[int, int, float]]) -> None:
    strata = pl.DataFrame([
        {"alias": "smart", "operation": "chat", "prompt_class": place, "target": target, "attempts": count,
         "answered": count, "ms": ms * count, "tokens": count, "cost_usd": Decimal(count), "unpriced": 0}
        for place, (here, there, ms) in enumerate(sizes) for target, count in (("x", here), ("y", there))
    ], schema_overrides={"cost_usd": pl.Decimal(38, 12)})  # fmt: skip
    times = strata.select("alias", "operation", "prompt_class", "target", pl.lit(1.0).alias("ms"), times="answered")
    left, right = side_by_side(strata, times).to_dicts()
    assert left["mean_ms"] == pytest.approx(right["mean_ms"])
    assert left["usd_per_1k"] == pytest.approx(right["usd_per_1k"]) == Decimal(1000)


def test_models_can_be_compared_too(source: Source) -> None:
    assert set(compared(source, SPAN, by="model", least=10)["target"]) == {"anthropic/claude", "groq/llama"}


def test_nothing_alike_is_an_empty_answer(source: Source) -> None:
    frame = compared(source, SPAN, {"alias": "drafts"})
    assert frame.is_empty()
    assert list(frame.columns) == list(COLUMNS)


def test_a_filter_that_latencies_lack_is_refused(source: Source) -> None:
    with pytest.raises(BadQuestion, match="caller"):
        compared(source, SPAN, {"caller": "web"})


def test_what_cannot_be_compared_is_named(source: Source) -> None:
    with pytest.raises(BadQuestion, match="provider, model"):
        compared(source, SPAN, by="colour")

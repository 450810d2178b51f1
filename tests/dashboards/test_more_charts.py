"""Flows, hours and burn-downs as pure functions: what flows in flows out, and a band begins where the past ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import words
from dashboards import budget_rows, links, theme
from dashboards.charts import burn, heat, sankey, waits

MODELS = [("groq", "llama"), ("openai", "gpt"), ("openai", "mini"), ("gemini", "flash")]


def flow(left: tuple[str, str], reached: tuple[str, str], reason: str, *ends: int) -> dict[str, Any]:
    """`ends`: moves in calls that were rescued, failed, cancelled."""
    rescued, failed, cancelled = ends
    return {
        "from_provider": left[0], "from_model": left[1], "to_provider": reached[0], "to_model": reached[1],
        "reason": reason, "moves": sum(ends), "rescued": rescued, "failed": failed, "cancelled": cancelled,
        "lost_ms": 100.0 * sum(ends),
    }  # fmt: skip


FLOWS = st.lists(
    st.builds(
        flow,
        st.sampled_from([*MODELS, *((f"p{n}", "m") for n in range(12))]), st.sampled_from(MODELS),
        st.sampled_from(["timeout", "rate_limited"]), st.integers(1, 50), st.integers(0, 9), st.integers(0, 9),
    ),
    min_size=1, max_size=20,
)  # fmt: skip


@settings(max_examples=30)
@given(FLOWS)
def test_what_comes_into_a_node_leaves_it(rows: list[dict[str, Any]]) -> None:
    found = sankey.links(pl.DataFrame(rows))
    total = sum(row["moves"] for row in rows)
    for stage in range(3):
        assert sum(link.moves for link in found if link.source.stage == stage) == total
    for node in {link.source for link in found if link.source.stage}:
        assert sum(link.moves for link in found if link.target == node) == sum(
            link.moves for link in found if link.source == node
        )


@settings(max_examples=20)
@given(FLOWS)
def test_bars_lie_within_the_height_and_none_upon_another(rows: list[dict[str, Any]]) -> None:
    bars, ribbons, height = sankey.laid_out(sankey.links(pl.DataFrame(rows)))
    for stage in range(4):
        lying = sorted((bar.top, bar.bottom) for bar in bars if bar.node.stage == stage)
        assert lying[0][0] >= -1e-6
        assert lying[-1][1] <= height + 1e-6
        assert all(below[0] > above[1] for above, below in pairwise(lying))
        assert len(lying) <= sankey.MOST
    thickness = sum(ribbon.thickness for ribbon in ribbons if ribbon.link.source.stage == 0)
    assert thickness == pytest.approx(sum(bar.bottom - bar.top for bar in bars if bar.node.stage == 0))


def test_a_ribbon_has_its_providers_colour_and_an_outcome_its_statuss() -> None:
    drawn = sankey.drawn(pl.DataFrame([flow(MODELS[0], MODELS[1], "timeout", 3, 1, 0)])).to_dict()
    data = drawn["datasets"].values()
    colours = {row["ribbon"]: row["colour"] for rows in data for row in rows if "ribbon" in row}
    assert set(colours.values()) == {theme.provider_colour("groq"), theme.provider_colour("openai")}
    boxes = {row["name"]: row["colour"] for rows in data for row in rows if "short" in row}
    assert (boxes["answered"], boxes["not answered"]) == (theme.STATUS["ok"], theme.STATUS["error"])


def test_the_flow_is_told_by_its_three_largest() -> None:
    rows = [
        flow(MODELS[0], reached, "rate_limited", count, 0, 0)
        for reached, count in zip(MODELS, (1, 9, 5, 7), strict=True)
    ]
    told = sankey.told(pl.DataFrame(rows))
    assert told.startswith("Flow of 22 moves")
    assert told.index("9 from groq llama to openai gpt (rate limited)") < told.index("7 from") < told.index("5 from")
    assert "1 from" not in told


def test_a_trouble_has_one_word_whether_a_call_or_an_attempt_had_it() -> None:
    told = [words.trouble(kind) for kind in ("server_error", "PROVIDER_ERROR", "ttft_timeout", "TTFT", "", "odd_one")]
    assert told == ["server error"] * 2 + ["no first token in time"] * 2 + ["", "odd one"]


MONDAY = datetime(2026, 11, 2)  # noqa: DTZ001 - as the ledger gives it
HOURS = pl.DataFrame({
    "hour": [MONDAY + timedelta(hours=hour) for hour in (0, 1, 7 * 24, 7 * 24 + 2)],
    "calls": [10, 0, 30, 5],
    "errors": [1, 0, 3, 5],
})  # fmt: skip


def test_weekdays_are_summed_up_and_days_are_not() -> None:
    assert heat.by_weekday(HOURS).rows() == [("Mon", 0, 40, 4, 0.1), ("Mon", 2, 5, 5, 1.0)]
    assert [row[:4] for row in heat.by_day(HOURS).rows()] == [
        ("2026-11-02", 0, 10, 1), ("2026-11-09", 0, 30, 3), ("2026-11-09", 2, 5, 5),
    ]  # fmt: skip


def test_the_worst_hours_are_told_and_drawn() -> None:
    cells = heat.by_weekday(HOURS)
    assert "Mon 02:00 UTC, 100% of 5" in heat.told(cells)
    assert heat.drawn(cells, heat.WEEKDAYS).to_dict()["encoding"]["y"]["scale"]["domain"] == list(heat.WEEKDAYS)
    assert "there were none" in heat.told(cells.with_columns(errors=pl.lit(0)))


BURN = burn.Burn(100.0, MONDAY, MONDAY + timedelta(days=2), MONDAY + timedelta(days=4), 30.0, 60.0, 50.0, 140.0)
COURSE = pl.DataFrame(
    {"at": [MONDAY + timedelta(days=1), MONDAY + timedelta(days=9)], "spent": [Decimal(10), Decimal(99)]}
)


def test_a_burn_down_goes_from_the_limit_to_what_is_left_now() -> None:
    assert burn.past(COURSE, BURN)["left"].to_list() == [100.0, 90.0, 70.0]


def test_the_band_begins_where_the_past_ends_and_a_hard_limit_holds_it() -> None:
    ahead = burn.ahead(BURN)
    assert ahead.row(0)[1:] == (70.0, 70.0, 70.0)
    assert ahead.row(-1)[1:] == (40.0, 0.0, 50.0)
    soft = replace(BURN, hard=False)
    assert burn.ahead(soft).row(-1)[1:] == (40.0, -40.0, 50.0)


@pytest.mark.parametrize(("end", "layers"), [(BURN.end, 5), (None, 2)], ids=["window", "total"])
def test_without_a_windows_end_nothing_is_foretold(end: datetime | None, layers: int) -> None:
    drawn = burn.drawn(COURSE, burn.Burn(100.0, MONDAY, BURN.now, end, 30.0, 60.0, 50.0, 140.0), "usd")
    assert len(drawn.to_dict()["layer"]) == layers


@pytest.mark.parametrize(("ms", "unit"), [(3.0, "Milliseconds"), (3000.0, "Seconds")])
def test_short_waits_are_drawn_in_milliseconds(ms: float, unit: str) -> None:
    course = pl.DataFrame({"at": [MONDAY], "p50_ms": [1.0], "p95_ms": [2.0], "p99_ms": [ms]})
    assert waits.drawn(course).to_dict()["encoding"]["y"]["title"] == unit


@pytest.mark.parametrize(
    ("row", "filters", "kept"),
    [
        ({"scope": "alias", "subject": "fast", "workspace": "a"}, {"alias": ["fast"]}, True),
        ({"scope": "alias", "subject": "fast", "workspace": "a"}, {"alias": ["smart"]}, False),
        ({"scope": "workspace", "subject": "", "workspace": "a"}, {"alias": ["fast"]}, False),
        ({"scope": "workspace", "subject": "", "workspace": "a"}, {"workspace": ["a"], "provider": ["x"]}, True),
    ],
)
def test_budgets_are_narrowed_by_whose_they_are(row: dict[str, Any], filters: dict[str, Any], kept: bool) -> None:
    assert bool(budget_rows.narrowed([row], filters)) is kept


def test_a_link_to_calls_has_the_pages_filters() -> None:
    asked = links.asked("7d", {"alias": ["fast"], "status": "error", "tag:team": ["red", "blue"]})
    assert asked == "period=7d&alias=fast&status=error&tag=team%3Dred&tag=team%3Dblue"

"""Charts are pure: frames in, pictures' descriptions out. Colours and figures keep their word."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards import charts, launch, theme
from dashboards import format as say


def at(hour: int) -> datetime:
    return datetime(2026, 11, 2, hour)  # noqa: DTZ001 - as the ledger gives it


COURSE = pl.DataFrame(
    {
        "at": [at(1), at(1), at(2)],
        "provider": ["openai", "", "openai"],
        "calls": [3, 1, 2],
        "p50_ms": [100.0, None, 200.0],
        "p95_ms": [300.0, None, 400.0],
    }
)


def test_a_times_bars_lie_one_upon_the_other() -> None:
    piled = charts.piled(COURSE, "provider", "calls", "1h").select("at", "provider", "low", "high")
    assert piled.rows() == [(at(1), "", 0.0, 1.0), (at(1), "openai", 1.0, 4.0), (at(2), "openai", 0.0, 2.0)]


@pytest.mark.parametrize(
    ("drawn", "marks"),
    [
        pytest.param(charts.stacked(COURSE, "provider", "calls", "Calls", "hour"), ["rect"], id="stacked"),
        pytest.param(charts.percentiles(COURSE), ["line"], id="percentiles"),
        pytest.param(
            charts.ranked(COURSE.with_columns(label=pl.lit("3")), "provider", "calls", "Calls"),
            ["bar", "text"],
            id="ranked",
        ),
    ],
)
def test_charts_are_descriptions(drawn: Any, marks: list[str]) -> None:
    described = drawn.to_dict()
    assert [layer["mark"]["type"] for layer in described.get("layer", [described])] == marks


def test_nobody_is_named() -> None:
    assert charts.named(COURSE, "provider")["provider"].to_list() == ["openai", "(none answered)", "openai"]


def test_attempts_are_drawn_from_the_calls_start_on() -> None:
    call = {"started_at": at(1)}
    tried = {
        "number": 1, "provider": "groq", "model": "m", "status": "failed", "started_at": at(1).replace(second=1),
        "ended_at": at(1).replace(second=3), "first_token_at": None, "duration_ms": 2000.0,
        "time_to_first_token_ms": None, "http_status": 429, "error_type": "rate_limited",
    }  # fmt: skip
    (row,) = charts.attempt_rows(call, [tried]).to_dicts()
    assert (row["from_ms"], row["to_ms"], row["first_ms"]) == (1000.0, 3000.0, None)
    assert row["label"] == "429 rate limited, 2.00 s"
    assert len(charts.attempts(charts.attempt_rows(call, [tried])).to_dict()["layer"]) == 3


def test_a_providers_colour_does_not_depend_on_who_else_is_shown() -> None:
    alone = dict(zip(*theme.scale("provider", ["groq"]), strict=True))
    among = dict(zip(*theme.scale("provider", ["openai", "zebra", "groq", ""]), strict=True))
    assert alone["groq"] == among["groq"]
    assert among[""] == theme.NOBODY


def test_known_providers_have_colours_of_their_own() -> None:
    assert len({theme.provider_colour(name) for name in theme._KNOWN}) == len(theme._KNOWN)


def test_other_dimensions_have_enough_colours() -> None:
    domain, shades = theme.scale("alias", [f"a{n}" for n in range(30)])
    assert len(domain) == len(shades) == 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (say.count(None), "—"), (say.count(1234), "1,234"), (say.count(4_800_000), "4.8M"),
        (say.count(2_000_000_000), "2.0B"),
        (say.money(Decimal("1234.567")), "$1,234.57"), (say.money(Decimal("0.00698012")), "$0.00698"),
        (say.money(Decimal("0.000000000001")), "$0.000000000001"), (say.money(Decimal(0)), "$0"),
        (say.money(None), "—"), (say.money(None, unpriced=2), "unknown"),
        (say.money(Decimal(0), unpriced=1), "unknown"),
        (say.money(Decimal("8.8"), unpriced=1), "≥ $8.80"),
        (say.exact(Decimal("0.000000000001")), "$0.000000000001"), (say.exact(Decimal(1200)), "$1,200"),
        (say.exact(None), "unpriced"), (say.exact(Decimal("0E-12")), "$0"),
        (say.duration(None), "—"), (say.duration(0.83), "0.8 ms"), (say.duration(85.4), "85 ms"),
        (say.duration(999.6), "1.00 s"), (say.duration(192_000), "3.2 min"), (say.duration(0), "0 ms"),
        (say.share(1, 0), "—"), (say.share(1, 80), "1.2%"), (say.share(1, 2), "50%"),
        (say.change(12, 10), "+20%"), (say.change(9, 10), "-10%"), (say.change(500, 10), "50 times"),
        (say.change(1.001, 1), "0%"), (say.change(1, 0), None), (say.change(None, 1), None),
        (say.change(Decimal(3), Decimal(2)), "+50%"),
        (say.time(datetime(2026, 11, 2, 5, 6, 7, 89_000)), "2026-11-02 05:06:07.089 UTC"), (say.time(None), "—"),  # noqa: DTZ001
        (say.span(datetime(2026, 11, 3, 10, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC)),
         "3 Nov 10:00 to 10 Nov 2026 00:00 UTC"),
    ],
)  # fmt: skip
def test_figures_as_text(text: str | None, expected: str | None) -> None:
    assert text == expected


def test_the_dashboard_is_started_on_its_address_and_reports_to_nobody() -> None:
    argv = launch.command(Path("/srv/tx"), "127.0.0.1", 8501)
    assert {"--server.address=127.0.0.1", "--server.port=8501", "--server.headless=true"} <= set(argv)
    assert "--browser.gatherUsageStats=false" in argv
    assert argv[-5:] == ["--", "--home", "/srv/tx", "--login", "none"]
    assert Path(argv[0]).is_absolute()

"""Periods as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analytics.period import BadPeriod, Period, from_to, parse

NOW = datetime(2026, 11, 20, 15, 30, 45, 123456, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        pytest.param("24h", utc(2026, 11, 19, 15, 30, 45, 123456), NOW, id="hours"),
        pytest.param("7d", utc(2026, 11, 13, 15, 30, 45, 123456), NOW, id="days"),
        pytest.param(" 2w ", utc(2026, 11, 6, 15, 30, 45, 123456), NOW, id="weeks-with-spaces"),
        pytest.param("today", utc(2026, 11, 20), NOW, id="today-ends-now"),
        pytest.param("yesterday", utc(2026, 11, 19), utc(2026, 11, 20), id="yesterday"),
        pytest.param("2026-11", utc(2026, 11, 1), utc(2026, 12, 1), id="month"),
        pytest.param("2026-12", utc(2026, 12, 1), utc(2027, 1, 1), id="december"),
        pytest.param("2026-11-03", utc(2026, 11, 3), utc(2026, 11, 4), id="day"),
        pytest.param("2026-11-03..2026-11-05", utc(2026, 11, 3), utc(2026, 11, 5), id="end-not-included"),
        pytest.param("2026-11-03T10:00+02:00..now", utc(2026, 11, 3, 8), NOW, id="zone-becomes-utc"),
        pytest.param("2026-11-03..", utc(2026, 11, 3), NOW, id="open-end-is-now"),
    ],
)
def test_forms(text: str, start: datetime, end: datetime) -> None:
    assert parse(text, NOW) == Period(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "d",
        "7y",
        "2026-13",
        "2026-02-30",
        "x..y",
        "..",
        "99999999999d",
        "999999w",
        "2026-11-05..2026-11-03",
        "0d",
    ],
)
def test_other_words_are_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(BadPeriod, match="period"):
        parse(text, NOW)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        pytest.param("2026-03", "2026-02", id="a-month-after-a-shorter-one"),
        pytest.param("2026-01", "2025-12", id="january"),
        pytest.param("yesterday", "2026-11-18", id="a-day"),
        pytest.param("7d", "2026-11-06T15:30:45.123456..2026-11-13T15:30:45.123456", id="the-same-length"),
    ],
)
def test_the_previous_period(text: str, before: str) -> None:
    assert parse(text, NOW).previous == parse(before, NOW)


def test_from_and_to() -> None:
    assert from_to("2026-11-03", "", NOW) == parse("2026-11-03..now", NOW)

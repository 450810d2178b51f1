"""Costs: of a ledger whose answers are known, and against reading every record."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from analytics import costs
from analytics.period import Period
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Usage, UsageSource
from sidecar.core.money import to_usd
from tests.support.analytics import START, build, ledgers, ns, temporary
from tests.support.analytics_calls import HOUR_S, call, charged, failed, tried, used

FIRST, SECOND = Period(START, START + timedelta(days=1)), Period(START + timedelta(days=1), START + timedelta(days=2))
BOTH = Period(START, START + timedelta(days=2))
BIG, SMALL, NEW, ROUTED = "openai/big", "groq/small", "acme/new", "openrouter/any"
OK = CallStatus.OK
RED: dict[str, Any] = {"tags": {"team": "red"}, "caller": "checkout"}
NEXT_DAY = {"at_s": 26 * HOUR_S}

MIXED = used(
    Usage(input=1000, cache_read=600, cache_write=100, output=50, reasoning=20),
    charged({"input": (300, "2"), "cache_read": (600, "0.5"), "cache_write": (100, "2.5"), "output": (50, "10")}),
)
CACHED = used(Usage(input=500, cache_read=500, output=10), charged({"cache_read": (500, "0.5"), "output": (10, "10")}))
CACHED_DEARER = used(Usage(input=400, cache_read=400), charged({"cache_read": (400, "0.6")}))
ONLY_CACHED = used(Usage(input=100, cache_read=100), charged({"cache_read": (100, "0.1")}))
UNPRICED = used(Usage(input=1000, cache_read=50, output=10))
BILLED = used(Usage(input=70, output=7), charged({"provider_cost": (2 * 10**9, "0.000001")}, "provider", "openrouter"))
GUESSED = used(Usage(input=200, output=5), charged({"input": (200, "2"), "output": (5, "10")}), estimated=True)
PLAIN = used(Usage(input=1000), charged({"input": (1000, "2")}, "override", "7"))
AT_RISK = {"cost_at_risk_picodollars": 3 * 10**9, "maybe_billed": True}

CALLS = [
    call(0, [tried(BIG, 9, **MIXED)], OK, **RED),
    call(1, [tried(BIG, 9, **CACHED)], OK),
    call(2, [tried(BIG, 9, **CACHED_DEARER)], OK, **NEXT_DAY),
    call(3, [tried(SMALL, 9, **ONLY_CACHED)], OK),
    call(4, [tried(NEW, 9, **UNPRICED)], OK, caller="trial", at_s=HOUR_S),
    call(5, [tried(ROUTED, 9, **BILLED)], OK, at_s=HOUR_S),
    call(6, [tried(BIG, 9, AttemptStatus.CANCELLED, **GUESSED)], CallStatus.CANCELLED),
    call(7, [failed(BIG, 9, "timeout", **AT_RISK)], CallStatus.ERROR, maybe_billed=True),
    call(8, [failed(SMALL, 9), tried(BIG, 9, **PLAIN)], OK, **NEXT_DAY, **RED),
]


CALLERS = [("checkout", 1, 1000, "$0.002", "$0.00165"), ("local", 1, 400, "$0.00024", "$0.00281")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    home = tmp_path_factory.mktemp("home")
    build(home / "ledger.duckdb", CALLS)
    return open_source(home)


def decimals(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Text with a dollar sign as exact money."""
    return [tuple(Decimal(v[1:]) if isinstance(v, str) and v[:1] == "$" else v for v in row) for row in rows]


def test_money_by_meter(source: Source) -> None:
    """What a provider states as billed has dollars and no quantity; means are by quantity."""
    answer = costs.by_meter(source, BOTH)
    assert answer.drop("share").rows() == decimals([
        ("input", "tokens", 1500, 3, "$0.003", "$2"),
        ("provider_cost", "", None, 1, "$0.002", None),
        ("cache_read", "tokens", 1600, 4, "$0.0008", "$0.5"),
        ("output", "tokens", 65, 3, "$0.00065", "$10"),
        ("cache_write", "tokens", 100, 1, "$0.00025", "$2.5"),
    ])  # fmt: skip
    assert answer["share"].to_list() == pytest.approx(
        [each / 0.0067 for each in (0.003, 0.002, 0.0008, 0.00065, 0.00025)]
    )


def test_kinds_of_tokens_do_not_overlap(source: Source) -> None:
    answer = costs.token_mix(source, FIRST, {"provider": "openai"})
    told = {"input": 500, "cache_read": 1100, "cache_write": 100, "output": 45, "reasoning": 20}
    assert dict(answer.select("kind", "tokens").iter_rows()) == told
    assert answer["share"].to_list() == pytest.approx([each / 1765 for each in told.values()])


def test_shares_of_tokens_are_of_their_own_provider(source: Source) -> None:
    answer = costs.token_mix(source, BOTH, by="provider")
    assert answer.group_by("provider").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 4)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # 600 * 1.5 + 500 * 1.5 on the first day, 400 * (2 - 0.6) on the second; written: 100 * (2.5 - 2) more
        pytest.param(
            "big", (3100, 1500, 100, 1500 / 3100, "$0.00221", "$0.00005", "$0.00216", 0), id="saved-less-written"
        ),
        pytest.param("small", (100, 100, 0, 1.0, None, None, None, 100), id="no-input-price-in-the-period"),
        pytest.param("new", (1000, 50, 0, 0.05, None, None, None, 50), id="unpriced"),
        pytest.param("any", (70, 0, 0, 0.0, "$0", "$0", "$0", 0), id="nothing-cached-saved-nothing"),
    ],
)
def test_what_the_cache_saved(source: Source, model: str, expected: tuple[Any, ...]) -> None:
    (row,) = costs.cache(source, BOTH).filter(pl.col("model") == model).drop("provider", "model").rows()
    assert row == decimals([expected])[0]


def test_where_prices_come_from(source: Source) -> None:
    assert costs.provenance(source, BOTH).drop("share").rows() == decimals([
        ("genai-prices", "2026-11-01", 5, "$0.0027"),
        ("override", "7", 1, "$0.002"),
        ("provider", "openrouter", 1, "$0.002"),
    ])  # fmt: skip


def test_doubts_by_target(source: Source) -> None:
    assert costs.doubts(source, BOTH).rows() == decimals([
        ("unpriced", "acme", "new", 1, 1010, None, None),
        ("estimated", "openai", "big", 1, 205, "$0.00045", None),
        ("at_risk", "openai", "big", 1, None, None, "$0.003"),
    ])  # fmt: skip


def test_what_is_estimated_and_has_no_price_is_not_free(tmp_path: Path) -> None:
    guessed = tried(NEW, 9, **used(Usage(input=200, output=5), estimated=True))
    build(tmp_path / "ledger.duckdb", [call(0, [guessed], OK)])
    assert costs.doubts(open_source(tmp_path), FIRST).rows() == [
        ("unpriced", "acme", "new", 1, 205, None, None),
        ("estimated", "acme", "new", 1, None, None, None),
    ]


def test_doubts_by_call(source: Source) -> None:
    (row,) = costs.doubted_calls(source, BOTH).to_dicts()
    assert [row[name] for name in ("calls", "unpriced_calls", "estimated_calls", "maybe_billed_calls")] == [9, 1, 1, 1]
    assert (row["cost_at_risk_usd"], row["unpriced_share"]) == (Decimal("0.003"), 1 / 9)


def test_doubts_of_nothing(source: Source) -> None:
    (row,) = costs.doubted_calls(source, FIRST.previous).to_dicts()
    assert (row["calls"], row["unpriced_share"], row["cost_at_risk_usd"]) == (0, None, Decimal(0))


@pytest.mark.parametrize(
    ("by", "filters", "expected"),
    [
        pytest.param("caller", {}, CALLERS, id="caller"),
        pytest.param("tag:team", {}, [("red", 1, 1000, "$0.002", "$0.00165"), ("", 1, 400, "$0.00024", "$0.00281")],
                     id="tag-and-untagged"),
        pytest.param("key", {}, [("openai-1", 2, 1400, "$0.00224", "$0.00245"), ("groq-1", 0, 0, "$0", "$0.00001")],
                     id="by-key-also-where-it-answered-nothing"),
        pytest.param("caller", {"provider": "openai"},
                     [("checkout", 1, 1000, "$0.002", "$0.00165"), ("local", 1, 400, "$0.00024", "$0.0008")],
                     id="what-callers-paid-there"),
    ],
)  # fmt: skip
def test_who_costs_most(source: Source, by: str, filters: dict[str, str], expected: list[Any]) -> None:
    answer = costs.top(source, SECOND, by, filters)
    assert answer.select(by, "calls", "tokens", "cost_usd", "previous_cost_usd").rows() == decimals(expected)


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        pytest.param(
            "checkout", {"share": 0.00165 / 0.00446, "change": None, "unpriced": 0}, id="of-all-not-of-the-listed"
        ),
        pytest.param("trial", {"cost_usd": None, "share": None, "unpriced": 1}, id="unpriced-is-not-nothing"),
    ],
)
def test_shares_of_the_top(source: Source, caller: str, expected: dict[str, Any]) -> None:
    (row,) = costs.top(source, FIRST).filter(pl.col("caller") == caller).to_dicts()
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_the_top_is_cut_and_compared(source: Source) -> None:
    (row,) = costs.top(source, SECOND, limit=1).to_dicts()
    assert (row["caller"], row["change"], row["share"]) == (
        "checkout",
        pytest.approx(7 / 33),
        pytest.approx(0.002 / 0.00224),
    )


@pytest.mark.parametrize(
    ("span", "by", "expected"),
    [
        pytest.param(BOTH, "provider", [(0, "groq", "$0.00001"), (0, "openai", "$0.00245"), (1, "openrouter", "$0.002"),
                                        (26, "openai", "$0.00224")], id="hours"),
        pytest.param(Period(START, START + timedelta(days=3)), "tag:team",
                     [(0, "", "$0.00281"), (0, "red", "$0.00165"), (24, "", "$0.00024"), (24, "red", "$0.002")],
                     id="days-by-tag"),
        pytest.param(SECOND, "meter", [(26, "cache_read", "$0.00024"), (26, "input", "$0.002")], id="meters"),
    ],
)  # fmt: skip
def test_the_course_of_money(source: Source, span: Period, by: str, expected: list[Any]) -> None:
    start = START.replace(tzinfo=None)
    told = [(start + timedelta(hours=hour), *rest) for hour, *rest in expected]
    assert costs.course(source, span, None, by).rows() == decimals(told)


def test_what_costs_are_not_known_by_is_named() -> None:
    with pytest.raises(BadQuestion, match="costs are not known by 'reason'"):
        costs.course_question(BOTH, None, "reason")


@settings(max_examples=5, deadline=None)
@given(ledgers())
def test_costs_are_what_reading_every_record_gives(records: list[CallRecord]) -> None:
    with temporary(records) as home:
        source = open_source(home)
        meters = costs.by_meter(source, FIRST)["cost_usd"].sum()
        keys = {row["key"]: (row["tokens"], row["cost_usd"]) for row in costs.top(source, FIRST, "key").to_dicts()}
        doubts = {row[:3]: row[3] for row in costs.doubts(source, FIRST).rows() if row[0] != "at_risk"}
    tried = [each for r in records if ns(FIRST.start) <= r.started_ns < ns(FIRST.end) for each in r.attempts]
    assert Decimal(meters) == to_usd(sum(each.cost.amount_picodollars or 0 for each in tried))
    assert worth(keys) == by_key(tried)
    assert doubts == doubtful(tried)


def by_key(tried: list[Attempt]) -> dict[str, tuple[int, Decimal | None]]:
    """Tokens and cost, unless both are 0; no cost where nothing but what has no price could have cost anything."""
    keys: dict[str, list[Attempt]] = defaultdict(list)
    for each in tried:
        keys[each.key_id].append(each)
    sums = {key: (sum((each.usage.input or 0) + (each.usage.output or 0) for each in there), cost(there))
            for key, there in keys.items()}  # fmt: skip
    return worth(sums)


def worth(sums: dict[str, tuple[int, Decimal | None]]) -> dict[str, tuple[int, Decimal | None]]:
    return {key: both for key, both in sums.items() if any(each != 0 for each in both)}


def cost(tried: list[Attempt]) -> Decimal | None:
    known = to_usd(sum(each.cost.amount_picodollars or 0 for each in tried))
    return known if known or all(each.cost.priced for each in tried) else None


def doubtful(tried: list[Attempt]) -> dict[tuple[str, str, str], int]:
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for each in tried:
        target = each.target.provider, each.target.model
        counts["unpriced", *target] += not each.cost.priced
        counts["estimated", *target] += each.usage_source is UsageSource.ESTIMATED
    return {key: count for key, count in counts.items() if count}

"""Fallbacks: of a ledger whose answers are known, and against reading every record."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from analytics import fallbacks
from analytics.period import Period
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Skip, Target, Usage
from sidecar.core.money import to_usd
from tests.support.analytics import START, build, ledgers, ns, temporary
from tests.support.analytics_calls import HOUR_S, call, charged, failed, tried, used

DAY = Period(START, START + timedelta(days=1))
BIG, SMALL, FLASH = "openai/big", "groq/small", "gemini/flash"
DEAR = used(Usage(input=1000, output=100), charged({"input": (1000, "2"), "output": (100, "10")}))
CHEAP = used(Usage(input=1000, output=100), charged({"input": (1000, "1"), "output": (100, "5")}))
CUT = used(Usage(input=1000, output=10), charged({"input": (1000, "2"), "output": (10, "10")}), estimated=True)
AT_RISK = {"cost_at_risk_picodollars": 10**9}
OK, ERROR, CANCELLED = CallStatus.OK, CallStatus.ERROR, CallStatus.CANCELLED
GAVE_UP = AttemptStatus.CANCELLED

CALLS = [
    call(0, [tried(BIG, 900, **DEAR)], OK),
    call(1, [failed(BIG, 200, "rate_limited"), tried(SMALL, 500, **CHEAP)], OK),
    call(2, [failed(BIG, 10_000, "timeout", **AT_RISK), failed(SMALL, 300), tried(FLASH, 400)], OK),
    call(3, [failed(BIG, 100, "rate_limited"), failed(SMALL, 700)], ERROR),
    call(4, [failed(BIG, 50, "connection"), failed(BIG, 60, "connection"), tried(SMALL, 500, **CHEAP)], OK),
    call(5, [failed(BIG, 40, "stream_broken", **CUT), tried(SMALL, 5, GAVE_UP)], CANCELLED),
    call(6, [tried(SMALL, 500, **CHEAP)], OK, fallback_used=True, skips=(Skip(Target("openai", "big"), "BUDGET"),)),
    call(7, [failed(SMALL, 80), tried(SMALL, 500, **CHEAP)], OK, alias="fast", workspace="other"),
    call(8, [failed(BIG, 1), tried(SMALL, 1)], OK, at_s=30 * HOUR_S),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    home = tmp_path_factory.mktemp("home")
    build(home / "ledger.duckdb", CALLS)
    return open_source(home)


@pytest.fixture(scope="module")
def flows(source: Source) -> list[dict[str, Any]]:
    return fallbacks.flows(source, DAY).to_dicts()


@pytest.fixture(scope="module")
def rescue(source: Source) -> list[dict[str, Any]]:
    return fallbacks.rescue(source, DAY).to_dicts()


@pytest.mark.parametrize(
    ("old", "new", "reason", "expected"),
    [
        pytest.param(BIG, SMALL, "rate_limited", (2, 1, 1, 0, 300.0, "0", "0"), id="one-rescued-one-not"),
        pytest.param(BIG, SMALL, "timeout", (1, 1, 0, 0, 10_000.0, "0", "0.001"), id="timeout-is-at-risk"),
        pytest.param(SMALL, FLASH, "server_error", (1, 1, 0, 0, 300.0, "0", "0"), id="second-move-of-a-chain"),
        pytest.param(BIG, SMALL, "connection", (1, 1, 0, 0, 60.0, "0", "0"), id="the-retry-is-no-move"),
        pytest.param(BIG, SMALL, "stream_broken", (1, 0, 0, 1, 40.0, "0.0021", "0"), id="paid-for-and-given-up"),
        pytest.param(BIG, SMALL, "budget", (1, 1, 0, 0, 0.0, "0", "0"), id="passed-over-for-a-budget"),
    ],
)
def test_moves_go_from_whom_to_whom(
    flows: list[dict[str, Any]], old: str, new: str, reason: str, expected: tuple[Any, ...]
) -> None:
    (row,) = [each for each in flows if ends(each) == (old, new, reason)]
    *counts, lost_usd, at_risk = expected
    assert [row[name] for name in ("moves", "rescued", "failed", "cancelled", "lost_ms")] == counts
    assert (row["lost_usd"], row["lost_at_risk_usd"]) == (Decimal(lost_usd), Decimal(at_risk))


def ends(row: dict[str, Any]) -> tuple[str, str, str]:
    old, new = (f"{row[f'{end}_provider']}/{row[f'{end}_model']}" for end in ("from", "to"))
    return old, new, row["reason"]


def test_there_are_no_other_moves(flows: list[dict[str, Any]]) -> None:
    assert sum(row["moves"] for row in flows) == 7


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(BIG, SMALL, Decimal("-0.0015"), id="half-the-price-for-1000-in-and-100-out"),
        pytest.param(SMALL, FLASH, None, id="nobody-knows-what-it-charges"),
    ],
)
def test_what_answering_elsewhere_cost_more(
    flows: list[dict[str, Any]], old: str, new: str, expected: Decimal | None
) -> None:
    told = {each["price_difference_usd"] for each in flows if ends(each)[:2] == (old, new) and each["rescued"]}
    assert told == {expected}


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        pytest.param("smart", {"calls": 7, "fallbacks": 6, "rescued": 4, "failed": 1, "cancelled": 1}, id="counts"),
        pytest.param("smart", {"rescue_rate": 0.8, "fallback_rate": 6 / 7}, id="who-gave-up-was-not-to-be-rescued"),
        pytest.param("smart", {"lost_ms": 10_750.0, "lost_ms_mean": 10_750 / 6}, id="retries-are-lost-time-too"),
        pytest.param("smart", {"lost_usd": Decimal("0.0021"), "lost_at_risk_usd": Decimal("0.001")}, id="money"),
        pytest.param("fast", {"calls": 1, "fallbacks": 0, "rescue_rate": None, "lost_ms_mean": None}, id="never-fell"),
        pytest.param("fast", {"lost_usd": Decimal(0)}, id="nothing-lost-is-known-to-be-nothing"),
    ],
)
def test_each_alias_is_rescued_so_often(rescue: list[dict[str, Any]], alias: str, expected: dict[str, Any]) -> None:
    (row,) = [each for each in rescue if each["alias"] == alias]
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_the_whole_is_one_row(source: Source) -> None:
    (row,) = fallbacks.rescue(source, DAY, by=()).to_dicts()
    assert (row["calls"], row["fallbacks"], row["lost_ms"]) == (8, 6, 10_750.0)


def test_an_empty_period_has_no_rate(source: Source) -> None:
    before = DAY.previous
    (row,) = fallbacks.rescue(source, before, by=()).to_dicts()
    assert (row["calls"], row["rescue_rate"], row["lost_ms_mean"], row["lost_usd"]) == (0, None, None, Decimal(0))
    assert fallbacks.flows(source, before).is_empty()


@pytest.mark.parametrize(
    ("filters", "moves"),
    [
        pytest.param({"workspace": "other"}, 0, id="workspace"),
        pytest.param({"provider": "gemini"}, 1, id="either-end"),
        pytest.param({"from_provider": "openai", "reason": ["budget", "timeout"]}, 2, id="from-and-why"),
    ],
)
def test_flows_are_narrowed(source: Source, filters: dict[str, str | list[str]], moves: int) -> None:
    assert fallbacks.flows(source, DAY, filters)["moves"].sum() == moves


@pytest.mark.parametrize(
    ("filters", "by"),
    [
        pytest.param({"provider": "openai"}, ["alias"], id="whoever-failed-answered-nobody"),
        pytest.param({"tag:team": "red"}, ["alias"], id="steps-have-no-tags"),
        pytest.param({}, ["model"], id="parted-by-model"),
    ],
)
def test_rescues_name_what_they_are_known_by(filters: dict[str, str], by: list[str]) -> None:
    with pytest.raises(BadQuestion, match="they are by: alias, caller, operation, status, workspace"):
        fallbacks.rescue_question(DAY, filters, by)


def test_the_course_of_fallbacks(source: Source) -> None:
    both = Period(START, START + timedelta(days=9))
    rows = fallbacks.course(source, both, {"alias": "smart"}).rows()
    midnights = [START.replace(tzinfo=None) + timedelta(days=days) for days in (0, 1)]
    assert rows == [(midnights[0], "smart", 7, 6, 4, 1, 1), (midnights[1], "smart", 1, 1, 1, 0, 0)]


# Against brute force.


@settings(max_examples=5, deadline=None)
@given(ledgers())
def test_fallbacks_are_what_reading_every_record_gives(records: list[CallRecord]) -> None:
    with temporary(records) as home:
        source = open_source(home)
        flows, rescue = fallbacks.flows(source, DAY).to_dicts(), fallbacks.rescue(source, DAY).to_dicts()
        (lost,) = fallbacks.reasons(source, DAY).select("lost_ms", "lost_usd").sum().to_dicts()
    that_day = [record for record in records if ns(DAY.start) <= record.started_ns < ns(DAY.end)]
    steps = [step for record in that_day if record.fallback_used for step in left(record)]
    assert counted(flows) == moved(steps)
    assert {each["alias"]: each["rescued"] for each in rescue if each["fallbacks"]} == rescued(that_day)
    assert lost["lost_ms"] == pytest.approx(sum(took_ms(old) for old, _, _ in steps))
    assert (lost["lost_usd"] or 0) == to_usd(sum(old.cost.amount_picodollars or 0 for old, _, _ in steps))


Step = tuple[Attempt, Attempt, CallStatus]


def left(record: CallRecord) -> list[Step]:
    return [(old, new, record.status) for old, new in zip(record.attempts, record.attempts[1:], strict=False)]


def took_ms(attempt: Attempt) -> float:
    return ((attempt.ended_ns or attempt.started_ns) // 1000 - attempt.started_ns // 1000) / 1000


def counted(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    return {ends(row)[:2]: (row["moves"], row["rescued"]) for row in rows}


def moved(steps: list[Step]) -> dict[tuple[str, str], tuple[int, int]]:
    pairs: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for old, new, status in steps:
        if old.target != new.target:
            pairs[f"{old.target.provider}/{old.target.model}", f"{new.target.provider}/{new.target.model}"].append(
                status is CallStatus.OK
            )
    return {pair: (len(ended), sum(ended)) for pair, ended in pairs.items()}


def rescued(records: list[CallRecord]) -> Counter[str]:
    fell = Counter({record.alias: 0 for record in records if record.fallback_used})
    fell.update(record.alias for record in records if record.fallback_used and record.status is CallStatus.OK)
    return fell

"""Suggestions: when there is one, what it says it saves, and what it says it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.cheaper import repriced
from analytics.period import Period
from analytics.source import open_source
from analytics.suggestions import KINDS, Suggestion, suggestions
from sidecar.core.call import UNPRICED, CallRecord
from tests.support.analytics import START, temporary
from tests.support.reported import PRICES, Try, call

SPAN = Period(START, START + timedelta(days=30))
DAY = timedelta(days=1)
CLAUDE, LLAMA, GPT = Try("anthropic", "claude"), Try("groq", "llama"), Try("openai", "gpt")


def calls(*groups: tuple[int, Sequence[Try], dict[str, Any]]) -> list[CallRecord]:
    """`times` calls of each group, all on one day: suggestions are of a day, and thirty times that for a month."""
    flat = [(tries, more) for times, tries, more in groups for _ in range(times)]
    return [call(seq, START + timedelta(seconds=seq), tries, **more) for seq, (tries, more) in enumerate(flat)]


def suggested(records: list[CallRecord]) -> list[Suggestion]:
    with temporary(records) as home:
        return suggestions(open_source(home), SPAN)


def test_an_empty_ledger_has_none() -> None:
    assert suggested([]) == []


@pytest.fixture(scope="module")
def cheaper() -> Suggestion:
    (found,) = suggested(calls((40, [CLAUDE], {}), (30, [LLAMA], {})))
    return found


def test_a_cheaper_model_saves_the_difference_of_the_same_tokens(cheaper: Suggestion) -> None:
    # 40 calls of 1,000 tokens in and 100 out: 40,000 at $3 and $0.50, 4,000 at $15 and $1.
    assert cheaper.title == "smart: groq/llama instead of anthropic/claude"
    assert cheaper.saves_usd == Decimal("0.12") + Decimal("0.06") - Decimal("0.02") - Decimal("0.004")
    assert cheaper.saves_30d_usd == Decimal("4.68")
    assert cheaper.period == Period(START, START + DAY)


def test_its_arithmetic_can_be_followed(cheaper: Suggestion) -> None:
    answered = "answered 100.0 % of {} attempts, 1000 ms on average"
    assert cheaper.arithmetic == (
        "smart had 40 answers from anthropic/claude; its tokens there, at either's price:",
        "input: 40,000 x $3.00 per million = $0.120; x $0.50 per million = $0.0200",
        "output: 4,000 x $15.00 per million = $0.0600; x $1.00 per million = $0.00400",
        "$0.180 - $0.0240 = $0.156 in 1 days",
        f"as smart knows them: anthropic/claude {answered.format(40)}; groq/llama {answered.format(30)}",
    )


def test_it_says_that_it_does_not_know_quality(cheaper: Suggestion) -> None:
    assert "as good" in cheaper.unknown[0]
    assert cheaper.confidence == "medium"
    assert cheaper.evidence == {"alias": "smart", "operation": "chat", "provider": "anthropic", "model": "claude"}


def unpriced(record: CallRecord) -> CallRecord:
    return replace(record, cost=UNPRICED, attempts=tuple(replace(each, cost=UNPRICED) for each in record.attempts))


@pytest.fixture(scope="module")
def kept() -> set[str]:
    """Aliases for which a cheaper model was suggested."""
    failed = Try("groq", "llama", ok=False)
    records = calls(
        (40, [CLAUDE], {"alias": "hardly"}), (29, [LLAMA], {"alias": "hardly"}),
        (40, [CLAUDE], {"alias": "other"}), (40, [LLAMA], {"alias": "another"}),
        (40, [CLAUDE], {"alias": "apart"}), (40, [LLAMA], {"alias": "apart", "workspace": "b"}),
        (40, [CLAUDE], {"alias": ""}), (40, [LLAMA], {"alias": ""}),
        (40, [failed, CLAUDE], {"alias": "rescued"}), (80, [LLAMA], {"alias": "rescued"}),
        (40, [CLAUDE], {"alias": "unpriced"}),
    )  # fmt: skip
    records += [unpriced(call(999 + seq, START, [LLAMA], alias="unpriced")) for seq in range(40)]
    return {each.evidence["alias"] for each in suggested(records) if each.kind == "cheaper_model"}


@pytest.mark.parametrize(
    "alias",
    [
        pytest.param("hardly", id="the other one is hardly proven"),
        pytest.param("other", id="the other one is of another alias"),
        pytest.param("apart", id="the other one is of another workspace"),
        pytest.param("", id="the model was named"),
        pytest.param("rescued", id="they came because the cheaper one failed"),
        pytest.param("unpriced", id="its price is not known"),
    ],
)
def test_there_is_no_cheaper_model(kept: set[str], alias: str) -> None:
    assert alias not in kept


def test_what_costs_nothing_is_said_to_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRICES, "llama", {"input": Decimal(0), "output": Decimal(0)})
    (found,) = suggested(calls((40, [CLAUDE], {}), (40, [LLAMA], {})))
    assert "what groq/llama costs to run: its price is declared as $0 here" in found.unknown
    assert found.confidence == "low"


def test_one_that_fails_more_often_is_doubted() -> None:
    found, *_ = suggested(calls((40, [CLAUDE], {}), (40, [LLAMA], {}), (10, [Try("groq", "llama", ok=False)], {})))
    assert found.confidence == "low"
    assert "whether its failures would go on: it succeeded less often here" in found.unknown


_AMOUNT = st.tuples(st.integers(1, 10**9), st.decimals(0, 1000, places=12))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["input", "cache_read", "output"]), _AMOUNT, min_size=1))
def test_at_its_own_prices_everything_costs_what_it_cost(meters: dict[str, tuple[int, Decimal]]) -> None:
    lines = repriced(meters, meters)
    assert lines is not None
    assert all(paid == instead for _, paid, instead in lines.values())


def test_a_meter_without_a_price_goes_by_the_one_it_is_part_of() -> None:
    now = {"cache_read": (1000, Decimal("0.0003"))}
    assert repriced(now, {"input": (10, Decimal("0.00001"))}) == {
        "cache_read": (1000, *map(Decimal, ("0.0003", "0.001")))
    }
    assert repriced(now, {"output": (10, Decimal("0.00001"))}) is None


@pytest.fixture(scope="module")
def cached() -> list[Suggestion]:
    long = Try("openai", "gpt", tokens_in=10_000)
    return suggested(calls(
        (9, [long], {"caller": "rag"}),
        (1, [Try("openai", "gpt", tokens_in=10_000, cached=2000)], {"caller": "rag"}),
        (10, [Try("openai", "gpt", tokens_in=10_000, cached=6000)], {"caller": "thrifty"}),
        (10, [Try("openai", "gpt", tokens_in=1000)], {"caller": "short"}),
        (10, [Try("groq", "llama", tokens_in=10_000)], {"caller": "rag", "alias": "fast"}),
    ))  # fmt: skip


def test_long_prompts_that_are_hardly_cached_are_an_upper_bound(cached: list[Suggestion]) -> None:
    (found,) = cached
    # 100,000 tokens less the 2,000 that were read, at $1.25 less $0.125.
    assert found.title == "rag: let openai/gpt cache long prompts for smart"
    assert found.saves_usd == Decimal("0.11025")
    assert found.arithmetic[1] == "at most the rest: 98,000 x ($1.25 per million - $0.125 per million) = $0.110"
    assert "upper bound" in found.unknown[0]
    assert found.confidence == "low"


@pytest.fixture(scope="module")
def dead() -> Suggestion:
    lost = Try("attic", "old", ok=False, ms=3000, usd="0.01")
    (found,) = suggested(calls((25, [GPT._replace(ok=False), lost], {"caller": "x"}), (500, [GPT], {})))
    return found


def test_a_fallback_that_never_answered_is_named(dead: Suggestion) -> None:
    assert dead.title == "smart: attic/old never answers: take it out of the chain, or mend it"
    assert dead.arithmetic[0] == "25 attempts, 0 answered (0.0 %); 25 times a call fell back to it"
    assert dead.arithmetic[1] == "the 25 others kept their calls waiting for 3000 ms each, 75.0 s in all"
    assert (dead.saves_usd, dead.confidence) == (Decimal("0.25"), "high")


def test_one_that_rescued_a_call_in_ten_is_alive() -> None:
    records = calls((18, [Try("attic", "llama", ok=False)], {}), (2, [Try("attic", "llama")], {}))
    assert suggested(records) == []


def test_every_kind_is_explained() -> None:
    assert set(KINDS) == {"cheaper_model", "cacheable", "dead_fallback"}

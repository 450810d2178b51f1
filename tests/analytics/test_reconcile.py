"""A provider's bill beside the ledger: every format is read, each difference is found, and told with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from analytics.period import Period
from analytics.reconcile import Reconciled, reconcile
from analytics.reconcile_files import read
from analytics.reconcile_lines import BadStatement
from analytics.reconcile_models import plain
from analytics.reconcile_verdicts import Kept, Measure, Sure, sure
from analytics.source import Source, open_source
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Cost, Target, Usage, UsageSource
from tests.support.analytics import START, ns, priced, settled, temporary

FILES = Path(__file__).parent / "reconcile"
GPT_4O = {"input": Decimal("2.5"), "output": Decimal(10)}
MINI = {"input": Decimal("0.15"), "output": Decimal("0.6")}
HAIKU = {"input": Decimal(1), "output": Decimal(5)}


def calls() -> Iterator[CallRecord]:
    """Two days at three providers, and one attempt that failed on the way."""
    day, next_day = START + timedelta(hours=9), START + timedelta(days=1, hours=9)
    yield from (answered(seq, day, "openai:gpt-4o", GPT_4O, Usage(input=1000, output=100)) for seq in range(3))
    yield from (answered(seq, next_day, "openai:gpt-4o", GPT_4O, Usage(input=1000, output=100)) for seq in (3, 4))
    yield answered(5, next_day, "openai:gpt-4o-mini", MINI, Usage(input=2000, output=200))
    embedded = Usage(input=5000)
    yield answered(6, day, "openai:text-embedding-3-small", {"input": Decimal("0.02")}, embedded, operation="embedding")
    haiku = Usage(input=10_000, output=2000)
    yield from (answered(seq, day, "anthropic:claude-haiku-4-5", HAIKU, haiku) for seq in range(7, 11))
    routed = {"input": Decimal(2), "output": Decimal(8)}
    small = Usage(input=100, output=50)
    yield from (answered(seq, day, "openrouter:openai/gpt-4.1", routed, small) for seq in range(11, 16))


def answered(
    seq: int, at: datetime, model: str, prices: dict[str, Decimal], usage: Usage, *, operation: str = "chat"
) -> CallRecord:
    """`model` as PROVIDER:MODEL."""
    began = ns(at) + seq * 10**9
    provider, _, name = model.partition(":")
    attempt = Attempt(
        1,
        Target(provider, name),
        provider,
        AttemptStatus.OK,
        began,
        began + 10**9,
        usage=usage,
        usage_source=UsageSource.REPORTED,
        cost=priced(prices, usage),
    )
    return settled(seq, began, [attempt], CallStatus.OK, operation=operation)


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with temporary(calls()) as home:
        yield open_source(home)


def compared(source: Source, name: str, edit: Callable[[str], str] = str, span: Period | None = None) -> Reconciled:
    statement = read(edit((FILES / name).read_text()).encode())
    return reconcile(source, statement, [statement.provider], span)


MONEY, TOKENS = ("cost_usd",), ("input_tokens", "output_tokens")


@pytest.mark.parametrize(
    ("name", "what", "tells"),
    [
        ("openai_costs.json", "OpenAI costs (API)", MONEY),
        ("openai_costs_dashboard.csv", "OpenAI costs (dashboard)", MONEY),
        ("openai_usage.json", "OpenAI usage of completions (API)", ("calls", *TOKENS)),
        ("openai_usage_dashboard.csv", "OpenAI usage (dashboard)", ("calls", *TOKENS)),
        ("anthropic_costs.json", "Anthropic cost report (API)", MONEY),
        ("anthropic_costs_console.csv", "Anthropic costs (Console)", MONEY),
        ("anthropic_usage.json", "Anthropic usage report (API)", TOKENS),
        ("anthropic_usage_console.csv", "Anthropic usage (Console)", TOKENS),
        ("openrouter_activity.json", "OpenRouter activity (API)", ("calls", *TOKENS, *MONEY)),
        ("openrouter_by_day.csv", "OpenRouter activity by day (export)", ("calls", *TOKENS, *MONEY)),
        ("openrouter_generations.csv", "OpenRouter generations (export)", ("calls", *TOKENS, *MONEY)),
    ],
)
def test_a_true_bill_agrees(source: Source, name: str, what: str, tells: tuple[str, ...]) -> None:
    told = compared(source, name)
    assert (told.statement.name, told.statement.tells) == (what, tells)
    assert [(row.day, row.model, row.reasons) for row in told.rows if row.verdict != "agrees"] == []
    assert told.rows
    assert told.agrees
    assert {row.sure for row in told.rows} == {Sure.HIGH}


def test_rows_are_days_and_models_with_both_sides(source: Source) -> None:
    told = compared(source, "openai_costs.json")
    assert [(row.day, row.model, row.measures[0].ledger) for row in told.rows] == [
        (date(2026, 11, 2), "gpt-4o", Decimal("0.0105")),
        (date(2026, 11, 2), "text-embedding-3-small", Decimal("0.0001")),
        (date(2026, 11, 3), "gpt-4o", Decimal("0.007")),
        (date(2026, 11, 3), "gpt-4o-mini", Decimal("0.00042")),
    ]
    assert told.total.measures == (Measure("cost_usd", Decimal("0.01802"), Decimal("0.01802")),)


def swapped(before: str, after: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    return edit


SEARCHED = swapped("text-embedding-3-small", "web search tool calls")
CENTS = "anthropic_costs_console.csv"


@pytest.mark.parametrize(
    ("name", "edit", "where", "found", "reason"),
    [
        pytest.param(
            "openai_costs.json", swapped("0.00042", "0.000422"),
            (3, "gpt-4o-mini"), ("within tolerance", "0.47"), "", id="half-a-percent"),
        pytest.param(
            "openai_costs.json", swapped("0.00042", "0.00084"),
            (3, "gpt-4o-mini"), ("differs", "50.00"),
            "another key or program of the same organisation may have used this model", id="twice-as-much"),
        pytest.param(
            "openai_costs.json", SEARCHED,
            (2, "web-search-tool-calls"), ("missing in ledger", "100.00"),
            "a charge that is not metered here", id="a-charge-we-do-not-know"),
        pytest.param(
            "openai_costs.json", SEARCHED,
            (2, "text-embedding-3-small"), ("missing at provider", "None"),
            "not billed (yet)", id="a-model-not-billed"),
        pytest.param(
            "openai_usage.json", swapped('"num_model_requests": 2', '"num_model_requests": 4'),
            (3, "gpt-4o"), ("differs", "50.00"), "another key", id="more-requests"),
        pytest.param(
            CENTS, swapped("0.04,0.04", "0.044,0.044"),
            (2, "claude-haiku-4-5"), ("agrees", "9.09"), "", id="within-the-cent-of-each-line"),
        pytest.param(
            CENTS, swapped("0.04,0.04", "0.08,0.08"),
            (2, "claude-haiku-4-5"), ("differs", "50.00"), "rounded to $0.01: ±$0.01", id="more-than-rounding"),
    ],
)  # fmt: skip
def test_a_difference_is_found_and_explained(
    source: Source,
    *,
    name: str,
    edit: Callable[[str], str],
    where: tuple[int, str],
    found: tuple[str, str],
    reason: str,
) -> None:
    told = compared(source, name, edit)
    (row,) = (each for each in told.rows if (each.day.day, each.model) == where)
    assert (row.verdict.value, str(row.measures[0].percent)) == found
    assert reason in "; ".join(row.reasons)
    assert told.agrees == (found[0] in {"agrees", "within tolerance"})


def test_what_lies_on_the_day_beside_it_is_the_clocks_doing(source: Source) -> None:
    """One call of the 3rd is billed on the 2nd: days of another zone."""
    moved = swapped('"value": 0.0075', '"value": 0.011')
    told = compared(source, "openai_costs.json", lambda text: moved(text).replace('"value": 0.005', '"value": 0.0015'))
    rows = {row.day.day: row for row in told.rows if row.model == "gpt-4o"}
    assert [(rows[day].verdict.value, rows[day].sure.value) for day in (2, 3)] == [("differs", "medium")] * 2
    assert rows[2].reasons[0] == (
        "with 2026-11-03 together both sides agree: the provider's day begins at another time"
    )


def test_a_bill_without_models_is_compared_by_day(source: Source) -> None:
    def total(text: str) -> str:
        page = json.loads(text)
        for bucket in page["data"]:
            value = sum(Decimal(str(each["amount"]["value"])) for each in bucket["results"])
            bucket["results"] = [{**bucket["results"][0], "amount": {"value": float(value), "currency": "usd"},
                                  "line_item": None}] if value else []  # fmt: skip
        return json.dumps(page)

    told = compared(source, "openai_costs.json", total)
    assert [(row.day.day, row.model, row.verdict.value) for row in told.rows] == [(2, "", "agrees"), (3, "", "agrees")]


def test_a_period_narrows_to_its_whole_days(source: Source) -> None:
    span = Period(START + timedelta(hours=5), START + timedelta(days=2))
    assert {row.day.day for row in compared(source, "openai_costs.json", span=span).rows} == {3}


def test_pages_one_after_the_other_and_in_a_list_are_one_bill(source: Source) -> None:
    def pages(text: str) -> list[dict[str, object]]:
        page = json.loads(text)
        return [{**page, "data": [bucket], "has_more": number < 2} for number, bucket in enumerate(page["data"])]

    listed = compared(source, "openai_costs.json", lambda text: json.dumps(pages(text)))
    lines = compared(source, "openai_costs.json", lambda text: "\n".join(map(json.dumps, pages(text))))
    assert listed.rows == lines.rows == compared(source, "openai_costs.json").rows
    cut = compared(source, "openai_costs.json", lambda text: json.dumps(pages(text)[:2]))
    assert cut.notes == ("the last page says that more follow: what they have will be missing at the provider",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            "a,b\n1,2\n", "no provider's export has the columns a, b. Expected those of OpenAI", id="no-export"
        ),
        pytest.param("usage_date_utc,model,cost_usd,discount\n", "unknown columns discount", id="unknown-column"),
        pytest.param('{"data":[{"x":1}]}', "no provider's report has the fields x. Expected one of", id="no-report"),
        pytest.param('{"error":"no"}', "no list 'data' in the file", id="an-error-saved"),
        pytest.param('{"data":', "not JSON at line 1", id="cut-off"),
        pytest.param('{"data":[]}', "the file has no lines", id="empty"),
        pytest.param(
            "usage_date_utc,model,cost_usd\n2026-11-02,x,abc\n", "line 2: cost_usd is not a number", id="no-number"
        ),
        pytest.param("usage_date_utc,model,cost_usd\nsoon,x,1\n", "line 2: usage_date_utc is not a time", id="no-date"),
        pytest.param("start_time,amount_value,amount_currency\n1793577600,1,eur\n", "in 'eur'", id="another-currency"),
        pytest.param(
            '{"data":[{"date":"2026-11-02","usage":1,"prompt_tokens":1}]}', "lacks 'requests'", id="lacks-a-field"
        ),
    ],
)
def test_what_is_no_bill_says_why(content: str, says: str) -> None:
    with pytest.raises(BadStatement) as refused:
        read(content.encode())
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4.1-2025-04-14", "gpt-4.1"),
        ("GPT-4o mini", "gpt-4o-mini"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("Claude Sonnet 4", "claude-sonnet-4"),
        ("claude-3-5-haiku-20241022", "claude-haiku-3-5"),
        ("anthropic/claude-3.5-haiku", "claude-haiku-3-5"),
        ("deepseek/deepseek-chat:free", "deepseek-chat"),
        ("llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
        ("", ""),
    ],
)
def test_a_model_has_one_name(written: str, name: str) -> None:
    assert plain(written) == name


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param(Kept(calls=10, cost_usd=Decimal(1)), Sure.HIGH, id="all-reported"),
        pytest.param(Kept(calls=1000, estimated=5, cost_usd=Decimal(1)), Sure.MEDIUM, id="few-estimated"),
        pytest.param(Kept(calls=10, estimated=5, cost_usd=Decimal(1)), Sure.LOW, id="half-estimated"),
        pytest.param(Kept(calls=10, unpriced=1, cost_usd=None), Sure.LOW, id="unpriced"),
        pytest.param(Kept(calls=10, cost_usd=Decimal(1), cost_at_risk_usd=Decimal(1)), Sure.LOW, id="much-at-risk"),
        pytest.param(None, Sure.HIGH, id="nothing-here"),
    ],
)
def test_how_sure_a_verdict_is(kept: Kept | None, expected: Sure) -> None:
    assert sure(kept, Decimal(1)) is expected


def test_what_has_no_price_here_differs_from_any_bill() -> None:
    began = ns(START)
    failed = Attempt(1, Target("openai", "gpt-4o"), "openai", AttemptStatus.FAILED, began, began + 1)
    """Costs nothing, which is no price."""
    attempt = Attempt(
        2, Target("openai", "gpt-4o"), "openai", AttemptStatus.OK, began, began + 1,
        usage=Usage(input=1), usage_source=UsageSource.ESTIMATED, cost=Cost(False, None),
    )  # fmt: skip
    with temporary([settled(0, began, [failed, attempt], CallStatus.OK)]) as home:
        told = compared(open_source(home), "openai_costs.json")
    row = next(row for row in told.rows if row.model == "gpt-4o" and row.day.day == 2)
    assert (row.verdict.value, row.sure.value, row.measures[0].ledger) == ("differs", "low", None)
    assert row.reasons[:2] == (
        "attempts with estimated usage: 1",
        "attempts without a known price, so that the ledger's cost is a lower bound: 1",
    )

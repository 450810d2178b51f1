"""FOCUS rows: by the specification's rules, as far as they can be checked without its validator; and by the ledger."""

from __future__ import annotations

import csv
import json
import re
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import exports, filing
from analytics.charges import month_of, months
from analytics.focus import Version, unpriced_question
from analytics.focus_columns import METERS, SELF_HOSTED, SELLERS, columns
from analytics.focus_files import content
from analytics.period import parse
from analytics.question import BadQuestion
from analytics.source import FileSource
from sidecar.commands import export_focus
from sidecar.core.call import UsageSource
from sidecar.pricing.card import INPUT_METERS, OTHER_METERS, OUTPUT_METERS
from tests.support.analytics import build
from tests.support.focus import EXACT, NOVEMBER, OCTOBER, billed, call, focus, of_the_ledger, on

param = pytest.param
ANTHROPIC = ("anthropic", "anthropic", "claude-sonnet-4-5")
MONTH = parse("2026-10")
RECORDS = [
    call(0, on(10, 5), [("input", 1234, "1.25"), ("cache_read", 500, "0.125"), ("output", 77, "10")],
         workspace="acme", tags={"team": "red", "feature": "search"}),
    call(1, on(10, 5, 13), [("input", 1000, "1.25")], workspace="acme", tags={"feature": "search", "team": "red"}),
    call(2, on(10, 6), [("cache_write", 10, "3.75"), ("cache_write_1h", 20, "6")], provider=ANTHROPIC,
         owner="workspace", workspace="acme"),
    # Three calls of 1 token at half a picodollar, which half-even makes nothing; then one and a half, which makes two.
    *(call(3 + n, on(10, 7, n), [("input", 1, "0.0000005")], provider=("groq", "groq", "odd")) for n in range(3)),
    call(6, on(10, 7, 9), [("input", 1, "0.0000015")], provider=("groq", "groq", "odd")),
    call(7, on(10, 8), [("provider_cost", 1_234_567_890_123, "0.000001")], price_source="provider",
         provider=("openrouter", "openrouter", "acme/new")),
    call(8, on(10, 9), [("input", 5000, "0"), ("output", 50, "0")], price_source="declared",
         provider=("ollama", "ollama", "llama3")),
    call(9, on(10, 10), None, workspace="acme", provider=("openrouter", "openrouter", "unknown")),
    call(10, on(10, 11), [("images", 3, "40000"), ("milliseconds", 2500, "0.1"), ("requests", 1, "5000"),
                          ("characters", 120, "15")], source=UsageSource.ESTIMATED),
    call(11, on(10, 12), [("input", 9, "1")], provider=("mine", "openai-compatible", "m"), tags={"who": "it's \"x\""}),
    call(12, on(11, 1, 0), [("input", 1_000_000, "1.25")]),
]  # fmt: skip


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder) / "ledger.duckdb", RECORDS)
        yield Path(folder)


@pytest.fixture
def reader(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(home / "ledger.duckdb", read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def october(home: Path) -> list[dict[str, Any]]:
    with duckdb.connect(home / "ledger.duckdb", read_only=True) as connection:
        return focus(connection, OCTOBER, NOVEMBER)


def of_day(found: list[dict[str, Any]], day: int) -> list[dict[str, Any]]:
    return [row for row in found if row["ChargePeriodStart"].day == day]


def exact_product(row: dict[str, Any]) -> bool:
    costs = {EXACT.multiply(row["ListUnitPrice"], row["PricingQuantity"]), row["ListCost"], row["BilledCost"]}
    return len({*costs, row["EffectiveCost"], row["ContractedCost"]}) == 1


# What the specification asks of every row. Allowed values and nullability: its column pages, version 1.2.

NULLABLE = {"ChargeClass", "InvoiceId"}
UNIT = re.compile(r"(\d+ )?(Tokens|Characters|Images|Requests|Seconds|USD)")


@pytest.mark.parametrize(
    "holds",
    [
        param(lambda row: all(value is not None for name, value in row.items() if name not in NULLABLE), id="no-nulls"),
        param(lambda row: row["InvoiceId"] is None and row["ChargeClass"] is None, id="no-invoice-no-correction"),
        param(lambda row: row["BillingCurrency"] == "USD", id="dollars"),
        param(lambda row: (row["ChargeCategory"], row["ChargeFrequency"]) == ("Usage", "Usage-Based"), id="usage"),
        param(lambda row: row["ServiceCategory"] == "AI and Machine Learning", id="category"),
        param(lambda row: row["ServiceSubcategory"] == "Generative AI", id="subcategory"),
        param(lambda row: row["BillingPeriodStart"] == datetime(2026, 10, 1), id="period-start"),  # noqa: DTZ001
        param(lambda row: row["BillingPeriodEnd"] == datetime(2026, 11, 1), id="period-end"),  # noqa: DTZ001
        param(lambda row: (row["ChargePeriodEnd"] - row["ChargePeriodStart"]).total_seconds() == 86400, id="a-day"),
        param(lambda row: row["ListUnitPrice"] >= 0 and row["ContractedUnitPrice"] == row["ListUnitPrice"], id="price"),
        param(exact_product, id="cost-is-price-times-quantity"),
        param(lambda row: UNIT.fullmatch(row["PricingUnit"]) and UNIT.fullmatch(row["ConsumedUnit"]), id="units"),
        param(lambda row: row["SkuPriceId"].startswith(row["SkuId"] + "@"), id="price-of-one-sku"),
        param(lambda row: all(isinstance(each, str) for each in json.loads(row["Tags"]).values()), id="flat-tags"),
        param(lambda row: list(json.loads(row["Tags"])) == sorted(json.loads(row["Tags"])), id="sorted-tags"),
        param(lambda row: all(key.startswith("x_") for key in json.loads(row["SkuPriceDetails"])), id="details"),
    ],
)  # fmt: skip
def test_every_row_is_as_the_specification_says(october: list[dict[str, Any]], holds: Any) -> None:
    assert october
    assert [row for row in october if not holds(row)] == []


@pytest.mark.parametrize("version", Version)
def test_columns_stand_by_name_and_ours_come_last(reader: duckdb.DuckDBPyConnection, version: Version) -> None:
    names = list(focus(reader, OCTOBER, NOVEMBER, version)[0])
    ours = [name for name in names if name.startswith("x_")]
    assert names == sorted(names[: -len(ours)]) + sorted(ours)
    more = {"HostProviderName", "ServiceProviderName"}
    assert more & {*names} == (more if version is Version.V1_4 else set())


def test_the_file_comes_to_what_the_ledger_does(reader: duckdb.DuckDBPyConnection) -> None:
    both = focus(reader, OCTOBER, NOVEMBER) + focus(reader, NOVEMBER, month_of("2026-12"))
    assert billed(both) == of_the_ledger(reader)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        param(5, {("Input Tokens", "1000000 Tokens", "0.002234", "1.25"),
                  ("Cache Read Input Tokens", "1000000 Tokens", "0.0005", "0.125"),
                  ("Output Tokens", "1000000 Tokens", "0.000077", "10")}, id="two-calls-one-row-a-meter"),
        param(6, {("Cache Write Input Tokens", "1000000 Tokens", "0.00001", "3.75"),
                  ("Cache Write Input Tokens", "1000000 Tokens", "0.00002", "6")}, id="cache-writes-by-price"),
        param(7, {("Input Tokens", "1000000 Tokens", "0.000003", "0.0000005"),
                  ("Input Tokens", "1000000 Tokens", "0.000001", "0.0000015"),
                  ("Rounding", "USD", "-0.0000000000015", "1"), ("Rounding", "USD", "0.0000000000005", "1")},
              id="what-rounding-left"),
        param(8, {("Provider-Billed Cost", "USD", "1.234567890123", "1")}, id="as-the-provider-billed"),
        param(9, {("Input Tokens", "1000000 Tokens", "0.005", "0"),
                  ("Output Tokens", "1000000 Tokens", "0.00005", "0")}, id="self-hosted-for-nothing"),
        param(10, set(), id="no-price-no-row"),
        param(11, {("Images", "Images", "3", "0.04"), ("Seconds", "Seconds", "2.5", "0.0001"),
                   ("Requests", "Requests", "1", "0.005"), ("Characters", "1000000 Characters", "0.00012", "15")},
              id="other-units"),
    ],
)  # fmt: skip
def test_meters_have_names_units_and_prices(october: list[dict[str, Any]], day: int, expected: set[Any]) -> None:
    found = {
        (row["SkuMeter"], row["PricingUnit"], row["PricingQuantity"], row["ListUnitPrice"])
        for row in of_day(october, day)
    }
    assert found == {(meter, unit, Decimal(quantity), Decimal(price)) for meter, unit, quantity, price in expected}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        param(5, {"BillingAccountId": "openai", "SubAccountId": "acme", "ProviderName": "OpenAI",
                  "Tags": '{"feature":"search","team":"red"}'}, id="platform"),
        param(6, {"BillingAccountId": "acme/anthropic", "BillingAccountName": "anthropic (acme)",
                  "x_KeyOwner": "workspace"}, id="a-workspace-pays-itself"),
        param(8, {"ProviderName": "OpenRouter", "ServiceName": "OpenRouter", "x_PriceSource": "provider",
                  "ChargeDescription": "acme/new: as the provider billed it"}, id="provider-billed"),
        param(9, {"ProviderName": SELF_HOSTED, "ServiceName": "Ollama", "x_PriceSource": "declared",
                  "BilledCost": Decimal(0)}, id="self-hosted"),
        param(11, {"x_UsageSource": "estimated"}, id="estimated"),
        param(12, {"ProviderName": "mine", "ServiceName": "mine", "Tags": '{"who":"it\'s \\"x\\""}',
                   "ChargeDescription": "m: Input Tokens at 1 USD per 1000000 Tokens"}, id="a-server-of-ones-own"),
    ],
)  # fmt: skip
def test_rows_say_whose_they_are(october: list[dict[str, Any]], day: int, expected: dict[str, Any]) -> None:
    for row in of_day(october, day):
        assert {name: row[name] for name in expected} == expected


def test_filters_narrow_rows_and_what_has_no_price(reader: duckdb.DuckDBPyConnection) -> None:
    red = focus(reader, OCTOBER, NOVEMBER, filters={"workspace": "acme", "tag:team": "red"})
    assert {row["SubAccountId"] for row in red} == {"acme"}
    assert len(red) == 3
    for filters, expected in (({}, (1, 1200)), ({"workspace": "acme"}, (1, 1200)), ({"workspace": "default"}, (0, 0))):
        question = unpriced_question(OCTOBER, NOVEMBER, filters)
        assert reader.execute(question.sql, question.params).fetchone() == expected
    with pytest.raises(BadQuestion, match="tag:<key>"):
        focus(reader, OCTOBER, NOVEMBER, filters={"caller": "x"})


@pytest.mark.parametrize("form", exports.Format)
def test_every_format_holds_the_same(home: Path, october: list[dict[str, Any]], form: exports.Format) -> None:
    out = home / f"file.{form}"
    with out.open("wb") as file:
        asked = filing.Asked(content(Version.V1_2), MONTH, {}, form)
        written = filing.send(FileSource(home / "ledger.duckdb"), asked, file)
    assert (written.rows, written.sums["BilledCost"]) == (len(october), billed(october))
    match form:
        case exports.Format.CSV:
            found: list[Any] = list(csv.DictReader(out.read_text().splitlines()))
        case exports.Format.JSON_LINES:
            found = [json.loads(line) for line in out.read_text().splitlines()]
            assert found[0]["Tags"] == json.loads(october[0]["Tags"])
        case _:
            found = pl.read_parquet(out).to_dicts()
    assert [Decimal(row["ListCost"]) for row in found] == [row["ListCost"] for row in october]
    if form is not exports.Format.PARQUET:
        assert re.fullmatch(r"2026-10-05T00:00:00Z", found[0]["ChargePeriodStart"])
        assert not re.search(r"[eE]", found[0]["ListCost"])


def test_a_manifest_counts_what_is_not_in_the_file(home: Path) -> None:
    source = FileSource(home / "ledger.duckdb")
    asked = filing.Asked(content(Version.V1_2), MONTH, {}, exports.Format.CSV)
    found = asked.content.beside(source, MONTH, {})
    assert found == {"unpriced_calls": 1, "unpriced_tokens": 1200}


def test_the_command_line_writes_a_file_and_a_manifest(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAXIMETER_HOME", str(home))
    assert export_focus.export("csv", "1.2", since="2026-10", filters=[], output="", as_json=False) == 0
    assert "focus-1.2-2026-10.csv: 17 FOCUS 1.2 rows, $" in capfd.readouterr().err
    manifest = json.loads((tmp_path / "focus-1.2-2026-10.csv.manifest.json").read_bytes())
    assert (manifest["rows"], manifest["unpriced_calls"], manifest["unpriced_tokens"]) == (17, 1, 1200)
    with pytest.raises(typer.Exit) as left:
        export_focus.export("csv", "1.2", since="36h", filters=[], output="", as_json=False)
    assert (left.value.exit_code, "charges are of whole months" in capfd.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        param("2026-10", "2026-10-01 2026-11-01", id="a-month"),
        param("2026-10-01..2027-01-01", "2026-10-01 2027-01-01", id="a-quarter"),
        param("2026-11-01..now", "2026-11-01 2026-12-01", id="the-month-so-far"),
        param("2026-10-05..2026-11-01", "amid one: say 2026-10", id="begins-amid-a-month"),
        param("2026-10-01..2026-10-05", "amid one: say 2026-10", id="ends-amid-a-month"),
        param("7d", "amid one: say 2026-11", id="some-days"),
    ],
)
def test_files_are_of_whole_months(period: str, expected: str) -> None:
    now = datetime(2026, 11, 21, 15, tzinfo=UTC)
    span = parse(period, now)
    try:
        found = " ".join(f"{each}" for each in months(span.start, span.end, now))
    except BadQuestion as wrong:
        found = str(wrong)
    assert expected in found


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**14), st.integers(0, 1)), min_size=1, max_size=6))
def test_odd_prices_lose_nothing(drawn: list[tuple[int, int, int]]) -> None:
    """To the picodollar, whatever the price: up to twelve decimals."""
    records = [
        call(seq, on(10, 1 + day, seq), [("input", quantity, f"{Decimal(price).scaleb(-12):f}")])
        for seq, (quantity, price, day) in enumerate(drawn)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = build(Path(folder) / "ledger.duckdb", records)
        with duckdb.connect(path, read_only=True) as connection:
            found = focus(connection, OCTOBER, NOVEMBER)
            assert all(map(exact_product, found))
            assert billed(found) == of_the_ledger(connection)


def test_every_meter_and_provider_type_has_a_name() -> None:
    assert METERS.keys() == {*INPUT_METERS, *OUTPUT_METERS, *OTHER_METERS, "provider_cost"}
    rows = tomllib.loads((resources.files("sidecar") / "data" / "providers.toml").read_text("utf-8"))
    named = {kind: row["display"] for kind, row in rows.items() if kind != "openai-compatible"}
    assert {kind: seller.service for kind, seller in SELLERS.items()} == named
    hosted = {kind for kind, row in rows.items() if row["self_hosted"]}
    assert {kind for kind, seller in SELLERS.items() if seller.company == SELF_HOSTED} == hosted


def test_the_docs_have_every_column_as_it_is_filled() -> None:
    page = (Path(__file__).parents[2] / "docs" / "finance.md").read_text()
    lines = [
        f"| `{each.name}` | {each.filled}{' (1.4)' if each.since > Version.V1_2 else ''} |"
        for each in columns(Version.V1_4)
    ]
    assert "\n".join(lines) in page

"""The operator's own prices: exact, dated, validated whole."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from sidecar.core.call import Usage
from sidecar.core.catalog import Account
from sidecar.pricing import PriceFileError, Pricing
from sidecar.pricing.overrides import parse

OPENAI = Account(name="openai", type="openai", wire="openai", base_url="")
EUROPE = Account(name="openai-eu", type="openai", wire="openai", base_url="")
CUSTOM = Account(name="our-gateway", type="openai-compatible", wire="openai", base_url="")
YEAR_2026_NS = 1_767_225_600_000_000_000
MILLION = Usage(input=1_000_000, output=0)
DOLLAR = 10**12


def pricing(tmp_path: Path, text: str) -> Pricing:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    return Pricing(file)


def amount(
    book: Pricing, account: Account, model: str, usage: Usage = MILLION, at_ns: int = YEAR_2026_NS
) -> int | None:
    return book.cost(account, model, "", usage, at_ns).amount_picodollars


def test_an_override_goes_before_the_published_price(tmp_path: Path) -> None:
    book = pricing(tmp_path, '[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\ninput = 0.1\noutput = "0.4"')
    found = book.cost(OPENAI, "gpt-4o-mini", "gpt-4o-mini-2024-07-18", MILLION, YEAR_2026_NS)
    assert found.amount_picodollars == DOLLAR // 10, "also where the provider reports a dated name"
    assert found.price_source == "override"
    assert found.price_version == hashlib.sha256((tmp_path / "prices.toml").read_bytes()).hexdigest()[:12]


def test_it_may_price_what_nobody_else_does(tmp_path: Path) -> None:
    book = pricing(tmp_path, '[[price]]\nprovider = "our-gateway"\nmodel = "*"\ninput = 1\noutput = 2')
    assert amount(book, CUSTOM, "whatever") == DOLLAR


def test_the_accounts_name_goes_before_its_type(tmp_path: Path) -> None:
    book = pricing(
        tmp_path,
        '[[price]]\nprovider="openai"\nmodel="m"\ninput=1\n[[price]]\nprovider="openai-eu"\nmodel="m"\ninput=2',
    )
    assert (amount(book, EUROPE, "m"), amount(book, OPENAI, "m")) == (2 * DOLLAR, DOLLAR)


def test_exact_goes_before_prefix_and_long_before_short(tmp_path: Path) -> None:
    names = {"*": 1, "gpt-*": 2, "gpt-x-*": 3, "gpt-x-1": 4}
    book = pricing(
        tmp_path, "".join(f'[[price]]\nprovider="openai"\nmodel="{name}"\ninput={usd}\n' for name, usd in names.items())
    )
    found = [amount(book, OPENAI, model) for model in ("zzz", "gpt-y", "gpt-x-2", "GPT-X-1")]
    assert found == [DOLLAR, 2 * DOLLAR, 3 * DOLLAR, 4 * DOLLAR]


def test_a_price_begins_on_its_day_and_the_published_one_holds_before(tmp_path: Path) -> None:
    book = pricing(tmp_path, '[[price]]\nprovider="openai"\nmodel="gpt-4o-mini"\neffective=2026-01-01\ninput=9')
    assert amount(book, OPENAI, "gpt-4o-mini", at_ns=YEAR_2026_NS) == 9 * DOLLAR
    assert amount(book, OPENAI, "gpt-4o-mini", at_ns=YEAR_2026_NS - 1) == 15 * DOLLAR // 100


def test_of_two_days_the_later_holds_in_whatever_order_they_stand(tmp_path: Path) -> None:
    entry = '[[price]]\nprovider="openai"\nmodel="m"\n'
    book = pricing(
        tmp_path, f"{entry}effective=2025-12-01\ninput=3\n{entry}input=1\n{entry}effective=2025-06-01\ninput=2\n"
    )
    day_ns = 86_400 * 10**9
    found = [amount(book, OPENAI, "m", at_ns=YEAR_2026_NS - days * day_ns) for days in (0, 100, 400)]
    assert found == [3 * DOLLAR, 2 * DOLLAR, DOLLAR]


def test_tiers_hold_for_the_whole_call(tmp_path: Path) -> None:
    book = pricing(
        tmp_path, '[[price]]\nprovider="openai"\nmodel="m"\ninput=1\n[[price.tier]]\nabove_input_tokens=200000\ninput=2'
    )
    found = [amount(book, OPENAI, "m", Usage(input=size)) for size in (200_000, 200_001)]
    assert found == [200_000 * 10**6, 400_002 * 10**6]


@pytest.mark.parametrize(
    ("rate", "usage", "usd_millionths"),
    [
        pytest.param("images=0.04", Usage(images=3), 120_000, id="an image"),
        pytest.param("seconds=0.0001", Usage(seconds=61.5), 6_150, id="a second"),
        pytest.param("characters=15", Usage(characters=2_000), 30_000, id="a million characters"),
        pytest.param("requests=0.005", Usage(requests=2), 10_000, id="a request"),
    ],
)
def test_other_units(tmp_path: Path, rate: str, usage: Usage, usd_millionths: int) -> None:
    book = pricing(tmp_path, f'[[price]]\nprovider="openai"\nmodel="m"\n{rate}')
    assert amount(book, OPENAI, "m", usage) == usd_millionths * 10**6


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        pytest.param("prices = 1", ["unknown key 'prices'"], id="unknown table"),
        pytest.param("[[price]]\ninput=1", ["`provider` must be a text", "`model` must be a text"], id="nameless"),
        pytest.param('[[price]]\nprovider="a"\nmodel="b"', ["no rate"], id="no rate"),
        pytest.param('[[price]]\nprovider="a"\nmodel="b"\ninptu=1\ninput=1', ["unknown key 'inptu'"], id="misspelt"),
        pytest.param('[[price]]\nprovider="a"\nmodel="b"\ninput=-1', ["`input` must be an amount"], id="negative"),
        pytest.param(
            '[[price]]\nprovider="a"\nmodel="b"\ninput="free"', ["`input` must be an amount"], id="not a number"
        ),
        pytest.param('[[price]]\nprovider="a"\nmodel="b"\ninput=true', ["`input` must be an amount"], id="a bool"),
        pytest.param('[[price]]\nprovider="a"\nmodel="b"\ninput=nan', ["`input` must be an amount"], id="nan"),
        pytest.param(
            '[[price]]\nprovider="a"\nmodel="b"\nrequests=1\nseconds=1000\ninput=999999.99',
            ["`requests` must be less than 1 US dollar", "`seconds` must be less than 1000 US dollars"],
            id="more than the ledger has digits for",
        ),
        pytest.param(
            '[[price]]\nprovider="a"\nmodel="b"\ninput=1\neffective="2026"',
            ["`effective` must be a date"],
            id="no date",
        ),
        pytest.param(
            '[[price]]\nprovider="a"\nmodel="b"\ninput=1\n[[price]]\nprovider="a"\nmodel="b"\ninput=2',
            ["given twice"],
            id="twice",
        ),
        pytest.param(
            '[[price]]\nprovider="a"\nmodel="b"\ninput=1\n[[price.tier]]\noutput=1',
            ["`above_input_tokens`", "`output` has no rate below the tier"],
            id="tier",
        ),
        pytest.param("[[price", ["prices.toml: "], id="not toml"),
        pytest.param('price = "x"', ["not a table"], id="not a table"),
    ],
)
def test_everything_wrong_is_told_together(text: str, errors: list[str]) -> None:
    with pytest.raises(PriceFileError) as raised:
        parse(text.encode(), "prices.toml")
    assert len(raised.value.errors) == len(errors)
    for expected, told in zip(errors, raised.value.errors, strict=True):
        assert expected in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=re.escape("nowhere.toml: No such file")):
        Pricing(tmp_path / "nowhere.toml")


def test_the_documented_example_is_valid(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "pricing.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert examples
    for example in examples:
        assert parse(example.encode(), "docs/pricing.md").schedules

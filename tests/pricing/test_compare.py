"""Two price tables side by side, and tables of others."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.pricing import PriceFileError
from sidecar.pricing.card import Rate, RateCard
from sidecar.pricing.compare import Comparison, compare
from sidecar.pricing.overrides import Overrides, parse
from sidecar.pricing.tables import litellm, read_table

param = pytest.param
DOLLAR = 10**12
NOW_NS = 20_454 * 86_400 * 10**9
"""2026-01-01"""


def card(**usd: float | tuple[float, tuple[int, float]]) -> RateCard:
    """Rates in dollars; (base, (above, price)) has a tier."""
    rates = {}
    for meter, price in usd.items():
        base, tiers = (price[0], (price[1],)) if isinstance(price, tuple) else (price, ())
        rates[meter] = Rate(round(base * DOLLAR), tuple((above, round(each * DOLLAR)) for above, each in tiers))
    return RateCard("genai-prices", "1", rates)


def compared(ours: dict[str, RateCard], theirs: str, **how: Any) -> Comparison:
    """`ours` of provider p; `theirs` is TOML, `rates` of one model m unless it has whole entries."""
    text = theirs if "[[price]]" in theirs else f'[[price]]\nprovider = "p"\nmodel = "m"\n{theirs}'
    table = parse(text.encode(), "t")
    known = {"p": [name for name in ours if name != "m-dated"]}
    return compare(lambda provider, model: ours.get(model) if provider == "p" else None, known, table, NOW_NS, **how)


def told(found: Comparison) -> list[tuple[Any, ...]]:
    def usd(price: int | None) -> float | None:
        return None if price is None else price / DOLLAR

    return [(each.model, each.meter, usd(each.ours), usd(each.theirs), each.percent) for each in found.differences]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        param(card(input=1, output=2), "input = 1\noutput = 2", [], id="the-same"),
        param(card(input=1, output=2), "input = 1.5\noutput = 2", [("input", 1, 1.5, 50)], id="dearer"),
        param(card(input=1, output=2), "input = 1\noutput = 1", [("output", 2, 1, -50)], id="cheaper"),
        param(card(input=1), "input = 1\noutput = 2", [("output", None, 2, 100)], id="only-theirs"),
        param(card(input=1, output=2), "input = 1", [("output", 2, None, -100)], id="only-ours"),
        param(card(input=0), "input = 1", [("input", 0, 1, 100)], id="ours-is-free"),
        param(card(input=1, cache_read=1), "input = 1", [], id="a-part-at-the-price-of-its-whole"),
        param(card(input=2, cache_read=1), "input = 2", [("cache_read", 1, None, 100)], id="a-part-that-is-cheaper"),
        param(card(input=1, cache_write=2), "input = 1\ncache_write = 2\ncache_write_1h = 2", [], id="part-of-a-part"),
        param(
            card(input=(1, (200_000, 2))), "input = 1", [("input above 200000", 2, 1, -50)], id="a-tier-that-they-miss"
        ),
        param(
            card(input=1),
            "input = 1\n[[price.tier]]\nabove_input_tokens = 9\ninput = 3",
            [("input above 9", 1, 3, 200)],
            id="a-tier-that-we-miss",
        ),
        param(
            card(input=(1, (9, 2)), output=3),
            "input = 1\noutput = 6\n[[price.tier]]\nabove_input_tokens = 9\ninput = 2",
            [("output", 3, 6, 100)],
            id="what-has-no-tier-is-told-once",
        ),
    ],
)  # fmt: skip
def test_what_differs_in_one_model(ours: RateCard, theirs: str, expected: list[tuple[Any, ...]]) -> None:
    found = compared({"m": ours}, theirs)
    assert told(found) == [("m", *each) for each in expected]
    assert (found.compared, found.missing) == (1, 0)


@pytest.mark.parametrize(("tolerance", "count"), [(0.0, 1), (9.9, 1), (10.0, 0), (50.0, 0)])
def test_small_differences_can_be_let_go(tolerance: float, count: int) -> None:
    found = compared({"m": card(input=1)}, "input = 1.1", tolerance_percent=tolerance)
    assert len(found.differences) == count


@pytest.mark.parametrize(
    ("ours", "theirs", "compared_and_missing"),
    [
        param(["m", "n"], ["m"], (1, 1), id="they-lack-one"),
        param(["m"], ["m", "n"], (1, 1), id="we-lack-one"),
        param(["ma", "mb", "n"], ["m*"], (2, 1), id="a-pattern-stands-for-what-it-fits"),
        param(["ma", "mb"], ["m*", "ma"], (2, 0), id="and-a-name-besides-is-no-second-model"),
        param(["m", "m-dated"], ["m", "m-dated"], (2, 0), id="a-name-that-only-our-matching-knows"),
        param([], ["m*"], (0, 0), id="a-pattern-that-fits-nothing"),
    ],
)
def test_models_are_counted(ours: list[str], theirs: list[str], compared_and_missing: tuple[int, int]) -> None:
    text = "".join(f'[[price]]\nprovider = "p"\nmodel = "{model}"\ninput = 1\n' for model in theirs)
    found = compared({model: card(input=1) for model in ours}, text)
    assert (found.compared, found.missing) == compared_and_missing


def test_what_the_table_calls_an_account_is_looked_up_under_its_provider() -> None:
    text = '[[price]]\nprovider = "our-gateway"\nmodel = "m"\ninput = 2\n'
    found = compared({"m": card(input=1)}, text, providers={"our-gateway": "p"})
    assert [(each.provider, each.percent) for each in found.differences] == [("our-gateway", 100.0)]


def test_prices_of_a_day_to_come_are_not_compared_yet() -> None:
    found = compared({"m": card(input=1)}, "input = 9\neffective = 2026-01-02")
    assert (told(found), found.compared) == ([], 0)


@given(st.dictionaries(st.sampled_from(["input", "output", "cache_read", "reasoning"]), st.integers(0, 9), min_size=1))
def test_a_table_never_differs_from_itself(rates: dict[str, int]) -> None:
    text = "\n".join(f"{meter} = {usd}" for meter, usd in rates.items())
    assert compared({"m": card(**rates)}, text).differences == ()


LITELLM: dict[str, Any] = {
    "sample_spec": {"litellm_provider": "one of https://docs.litellm.ai/docs/providers", "input_cost_per_token": 0},
    "claude-x": {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "max_input_tokens": 1_000_000,
        "input_cost_per_token": 3e-6,
        "input_cost_per_token_above_200k_tokens": 6e-6,
        "output_cost_per_token": 1.5e-5,
        "output_cost_per_token_batches": 7.5e-6,
        "cache_read_input_token_cost": 3e-7,
        "cache_creation_input_token_cost": 3.75e-6,
        "cache_creation_input_token_cost_above_1hr": 6e-6,
        "supports_vision": True,
    },
    "gemini/gemini-x": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6, "input_cost_per_audio_token": 2e-6},
    "painter": {"litellm_provider": "openai", "output_cost_per_image": 0.04},
    "nobody": {"input_cost_per_token": 1e-6},
    "odd": {"litellm_provider": "openai", "input_cost_per_token": "cheap", "output_cost_per_token": None},
}


def test_litellms_table() -> None:
    found = litellm(json.dumps(LITELLM).encode(), "t").schedules
    assert set(found) == {("anthropic", "claude-x"), ("google", "gemini-x")}, "those with prices of tokens"
    rates = found["anthropic", "claude-x"].entries[0][1].rates
    assert {meter: rate.base / DOLLAR for meter, rate in rates.items()} == {
        "input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6,
    }  # fmt: skip
    assert rates["input"].tiers == ((200_000, 6 * DOLLAR),)
    assert set(found["google", "gemini-x"].entries[0][1].rates) == {"input", "audio_input"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        param(b"{", "t: ", id="half-json"),
        param(b"{}", "holds no prices", id="empty-json"),
        param(b'{"a": 1}', "holds no prices", id="other-json"),
        param(b"input 3", "t: ", id="no-toml"),
        param(b'[[price]]\nprovider = "p"', "`model` must be a text", id="half-an-entry"),
        param(b"\xff\xfe", "t: ", id="no-text"),
    ],
)
def test_what_is_no_table(content: bytes, said: str) -> None:
    with pytest.raises(PriceFileError, match=said):
        read_table(content, "t")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error(content: bytes) -> None:
    with contextlib.suppress(PriceFileError):
        assert isinstance(read_table(content, "t"), Overrides)

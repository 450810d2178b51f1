"""What headers tell of rate limits: each provider's dialect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.catalog import Allowance
from sidecar.providers.allowances import allowances

param = pytest.param
NOW_NS = 1_763_683_200_000_000_000
DATE = "Fri, 21 Nov 2025 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        param({"x-ratelimit-limit-requests": "10000", "x-ratelimit-remaining-requests": "9999",
               "x-ratelimit-reset-requests": "6ms", "x-ratelimit-limit-tokens": "200000",
               "x-ratelimit-remaining-tokens": "199977", "x-ratelimit-reset-tokens": "1m0.5s"},
              [Allowance("requests", 10000, 9999, 0.006), Allowance("tokens", 200000, 199977, 60.5)], id="openai"),
        param({"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14397",
               "x-ratelimit-reset-requests": "17.575s"}, [Allowance("requests", 14400, 14397, 17.575)], id="groq"),
        param({"x-ratelimit-limit-requests": "250", "x-ratelimit-remaining-requests": "247",
               "x-ratelimit-renewalperiod-requests": "60", "x-ratelimit-reset-requests": "0"},
              [Allowance("requests", 250, 247, 0.0, 60.0)], id="azure-tells-the-window"),
        param({"x-ratelimit-limit-tokens": "10000000", "x-ratelimit-remaining-tokens": "9982512"},
              [Allowance("tokens", 10000000, 9982512)], id="xai-tells-no-reset"),
        param({"date": DATE, "anthropic-ratelimit-requests-limit": "4000",
               "anthropic-ratelimit-requests-remaining": "3999",
               "anthropic-ratelimit-requests-reset": "2025-11-21T00:00:15Z"},
              [Allowance("requests", 4000, 3999, 15.0)], id="anthropic-names-a-date"),
        param({"anthropic-ratelimit-tokens-limit": "96000", "anthropic-ratelimit-tokens-remaining": "95000",
               "anthropic-ratelimit-tokens-reset": "2025-11-20T23:59:59Z"},
              [Allowance("tokens", 96000, 95000, 0.0)], id="a-date-that-is-past"),
        param({"x-ratelimit-limit-requests-day": "14400", "x-ratelimit-remaining-requests-day": "14399",
               "x-ratelimit-reset-requests-day": "33011.38", "x-ratelimit-limit-tokens-minute": "60000",
               "x-ratelimit-remaining-tokens-minute": "59000", "x-ratelimit-reset-tokens-minute": "11.4"},
              [Allowance("requests", 14400, 14399, 33011.38, 86400.0), Allowance("tokens", 60000, 59000, 11.4, 60.0)],
              id="cerebras-names-the-windows"),
        param({"x-ratelimit-limit-req-minute": "360", "x-ratelimit-remaining-req-minute": "358",
               "x-ratelimit-limit-req-10-second": "60", "x-ratelimit-remaining-req-10-second": "48"},
              [Allowance("requests", 60, 48, None, 10.0)], id="mistral-the-smaller-share-of-two-windows"),
        param({"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1",
               "x-tokenlimit-limit": "30000", "x-tokenlimit-remaining": "29000"},
              [Allowance("requests", 10, 9, 1.0), Allowance("tokens", 30000, 29000, None, 1.0)], id="together"),
        param({"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1763683230000"},
              [Allowance("requests", 20, 0, 30.0)], id="openrouter-names-a-date-in-ms"),
        param({"x-ratelimit-limit": "20", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "1763683210"},
              [Allowance("requests", 20, 1, 10.0)], id="or-in-seconds"),
        param({"x-ratelimit-remaining-requests": "5"}, [], id="no-limit-no-allowance"),
        param({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}, [], id="a-limit-of-0"),
        param({"x-ratelimit-limit-requests": "-1", "x-ratelimit-remaining-requests": "-1"}, [], id="unlimited"),
        param({"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "many"}, [], id="no-number"),
        param({"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "99"},
              [Allowance("requests", 10, 10)], id="more-left-than-there-is"),
        param({"content-type": "application/json"}, [], id="says-nothing"),
    ],
)  # fmt: skip
def test_dialects(headers: dict[str, str], expected: list[Allowance]) -> None:
    assert allowances(headers, lambda: NOW_NS) == expected


names = st.sampled_from([
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "date",
    "x-ratelimit-renewalperiod-requests", "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
])  # fmt: skip
values = st.text(max_size=30) | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str)


@given(st.dictionaries(names, values))
def test_whatever_they_say_it_is_read_as_a_sound_allowance_or_none(headers: dict[str, str]) -> None:
    for told in allowances(headers, lambda: NOW_NS):
        assert 0 <= told.remaining <= told.limit
        assert told.limit > 0
        assert told.reset_s is None or 0 <= told.reset_s < float("inf")
        assert told.window_s is None or 0 < told.window_s < float("inf")

"""Usage and cost as providers report them; each row a shape that some provider sends."""

from typing import Any

import pytest

from sidecar.core.call import Usage
from sidecar.providers.openai_usage import cost_of, usage_of


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, Usage(3, output=2), id="plain"),
        pytest.param(
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2},
            },
            Usage(9, 4, output=8, reasoning=5, audio_in=1, audio_out=2),
            id="openai-details",
        ),
        pytest.param(
            {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
            Usage(0, 0, output=0),
            id="zero-is-a-value",
        ),
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": None},
            Usage(3),
            id="null-is-absent",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3},
            Usage(9, 6, output=2),
            id="deepseek-cache-hits",
        ),
        pytest.param({"prompt_tokens": 9, "cached_tokens": 6}, Usage(9, 6), id="moonshot-cached-tokens"),
        pytest.param(
            {"prompt_tokens": 9, "cached_tokens": 6, "prompt_tokens_details": {"cached_tokens": 0}},
            Usage(9, 0),
            id="documented-place-first-even-if-zero",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 5}},
            Usage(9, 2, 5),
            id="openrouter-cache-writes",
        ),
        pytest.param(
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, output=103, reasoning=94),
            id="xai-reasoning-outside-completion",
        ),
        pytest.param(
            {
                "prompt_tokens": 32,
                "completion_tokens": 103,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, output=103, reasoning=94),
            id="reasoning-inside-completion",
        ),
        pytest.param(
            {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "total_tokens": 386,
                "prompt_audio_seconds": 4,
                "prompt_tokens_details": {"audio_tokens": 375},
            },
            Usage(9, output=2, audio_in=375, seconds=4.0),
            id="mistral-audio-as-reported",
        ),
        pytest.param({"prompt_tokens": 4, "total_tokens": 4}, Usage(4), id="embedding"),
        pytest.param({"prompt_tokens": True, "completion_tokens": -1}, None, id="counts-that-are-none"),
        pytest.param({"prompt_tokens": "3"}, None, id="text"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="null"),
        pytest.param([], None, id="another-kind"),
    ],
)
def test_usage(raw: Any, expected: Usage | None) -> None:
    assert usage_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"cost": 0.0002607}, 260_700_000, id="openrouter-exactly-as-written"),
        pytest.param({"cost": 3.2e-05}, 32_000_000, id="exponent"),
        pytest.param({"cost": 0}, 0, id="zero-is-a-price"),
        pytest.param(
            {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
            21_000_000_000,
            id="openrouter-with-a-key-of-ones-own",
        ),
        pytest.param(
            {"cost": 0.02, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}},
            20_000_000_000,
            id="openrouter-upstream-already-in-it",
        ),
        pytest.param({"cost": {"total_cost": 0.00614}}, 6_140_000_000, id="perplexity"),
        pytest.param({"cost_in_usd_ticks": 1641500}, 164_150_000, id="xai-ticks"),
        pytest.param({"cost": "0.1"}, None, id="text"),
        pytest.param({"cost": None}, None, id="null"),
        pytest.param({"prompt_tokens": 3}, None, id="says-nothing"),
        pytest.param(None, None, id="no-usage"),
    ],
)
def test_cost_that_a_provider_reports(raw: Any, expected: int | None) -> None:
    assert cost_of(raw) == expected

"""What the Messages API reports, and what we make of it."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Usage
from sidecar.providers.anthropic_usage import merged, usage_of

param = pytest.param


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        param(
            {"input_tokens": 3, "output_tokens": 2}, Usage(input=3, output=2, cache_read=0, cache_write=0), id="plain"
        ),
        param(
            {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 2},
            Usage(input=113, cache_write=10, cache_read=100, output=2),
            id="cached-tokens-stand-beside-the-input",
        ),
        param(
            {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0},
            Usage(input=0, cache_write=0, cache_read=0, output=0),
            id="explicit-zeros-are-values",
        ),
        param(
            {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}},
            Usage(input=3, output=9, reasoning=7, cache_read=0, cache_write=0),
            id="thinking-is-within-the-output",
        ),
        param(
            {"input_tokens": 3, "cache_read_input_tokens": None, "output_tokens": 2},
            Usage(input=3, output=2, cache_read=0, cache_write=0),
            id="null-beside-a-sum-is-zero",
        ),
        param(
            {
                "input_tokens": 23,
                "output_tokens": 10,
                "iterations": [
                    {"type": "compaction", "input_tokens": 180, "cache_read_input_tokens": 5, "output_tokens": 35},
                    {"type": "message", "input_tokens": 23, "output_tokens": 10},
                    {"type": "advisor_message", "input_tokens": 7, "output_tokens": 7},
                ],
            },
            Usage(input=208, cache_read=5, cache_write=0, output=45),
            id="compaction-is-billed-though-not-in-the-totals",
        ),
        param({"output_tokens": 2}, Usage(output=2), id="no-input-told"),
        param({"service_tier": "standard"}, None, id="no-count-told"),
        param({"input_tokens": "3"}, None, id="a-count-that-is-none"),
        param(None, None, id="absent"),
        param([], None, id="not-an-object"),
    ],
)
def test_usage(raw: Any, expected: Usage | None) -> None:
    assert usage_of(raw) == expected


@pytest.mark.parametrize(
    ("before", "report", "expected"),
    [
        param({"input_tokens": 25}, {"output_tokens": 15}, {"input_tokens": 25, "output_tokens": 15}, id="split"),
        param({"input_tokens": 0}, {"input_tokens": 25}, {"input_tokens": 25}, id="a-beginning-of-zeros-is-not-final"),
        param({"input_tokens": 25}, {"input_tokens": 0}, {"input_tokens": 25}, id="nor-an-end-of-zeros"),
        param({"input_tokens": 25}, {"input_tokens": 90}, {"input_tokens": 90}, id="cumulative-and-not-added-up"),
        param({"input_tokens": 25}, {"input_tokens": None}, {"input_tokens": 25}, id="null-says-nothing"),
        param({"input_tokens": 25}, None, {"input_tokens": 25}, id="no-report"),
    ],
)
def test_two_reports_of_a_stream(before: dict[str, Any], report: Any, expected: dict[str, Any]) -> None:
    assert merged(before, report) == expected

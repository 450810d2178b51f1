"""Base URLs as people write them."""

from __future__ import annotations

import dataclasses

import pytest

from sidecar.settings.rows import Row
from sidecar.settings.urls import endpoint
from tests.support.config import ROWS

NATIVE = dataclasses.replace(ROWS["ollama"], wire="ollama", base_path="")


@pytest.mark.parametrize(
    ("row", "url", "expected"),
    [
        pytest.param(ROWS["ollama"], "http://h:1", ("openai", "http://h:1/v1"), id="ollama by its openai wire"),
        pytest.param(NATIVE, "http://h:1/v1", ("ollama", "http://h:1"), id="ollama's own wire: /v1 is stripped"),
        pytest.param(NATIVE, "http://h:1", ("ollama", "http://h:1"), id="ollama's own wire, as it should be"),
        pytest.param(
            ROWS["azure"], "https://a.test/x/openai", ("openai", "https://a.test/x/openai"), id="any openai door"
        ),
        pytest.param(ROWS["groq"], "https://g.test/openai/v1", ("openai", "https://g.test/openai/v1"), id="as given"),
    ],
)
def test_the_wire_and_the_url(row: Row, url: str, expected: tuple[str, str]) -> None:
    assert endpoint(row, url)[:2] == expected

"""Base URLs as people write them."""

from __future__ import annotations

import dataclasses

import pytest

from sidecar.settings.rows import Row
from sidecar.settings.urls import endpoint
from tests.support.config import ROWS

UNDER_V1 = dataclasses.replace(ROWS["ollama"], wire="openai", base_path="/v1")


@pytest.mark.parametrize(
    ("row", "url", "expected"),
    [
        pytest.param(UNDER_V1, "http://h:1", ("openai", "http://h:1/v1"), id="a server that is asked under /v1"),
        pytest.param(
            UNDER_V1, "http://h:1/v1", ("openai", "http://h:1/v1"), id="a server that is asked under /v1, as is"
        ),
        pytest.param(ROWS["ollama"], "http://h:1/v1", ("ollama", "http://h:1"), id="ollama: /v1 is stripped"),
        pytest.param(ROWS["ollama"], "http://h:1/api", ("ollama", "http://h:1"), id="ollama: /api is stripped"),
        pytest.param(ROWS["ollama"], "http://h:1", ("ollama", "http://h:1"), id="ollama: as it should be"),
        pytest.param(
            ROWS["anthropic"], "https://a.test/x/openai", ("openai", "https://a.test/x/openai"), id="any openai door"
        ),
        pytest.param(
            ROWS["azure"], "https://a.test/openai", ("azure", "https://a.test/openai"), id="azure reads it by itself"
        ),
        pytest.param(
            ROWS["groq"], "https://g.test/x/anthropic", ("anthropic", "https://g.test/x/anthropic"), id="anthropic door"
        ),
        pytest.param(
            ROWS["ollama"],
            "https://g.test/anthropic/v1",
            ("anthropic", "https://g.test/anthropic/v1"),
            id="anthropic door with its version",
        ),
        pytest.param(ROWS["groq"], "https://g.test/openai/v1", ("openai", "https://g.test/openai/v1"), id="as given"),
    ],
)
def test_the_wire_and_the_url(row: Row, url: str, expected: tuple[str, str]) -> None:
    assert endpoint(row, url)[:2] == expected

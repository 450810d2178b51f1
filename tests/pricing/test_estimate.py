"""Where a provider reports nothing, bytes are counted."""

import subprocess
import sys

import pytest

from sidecar.core.call import Usage
from sidecar.pricing.estimate import estimate


@pytest.mark.parametrize(
    ("operation", "bytes_in", "bytes_out", "usage"),
    [
        pytest.param("chat", 400, 40, Usage(input=100, output=10), id="chat"),
        pytest.param("chat", 1, 1, Usage(input=1, output=1), id="rounded up"),
        pytest.param("chat", 0, 0, Usage(input=0, output=0), id="nothing"),
        pytest.param("embedding", 400, 12_000, Usage(input=100, output=0), id="vectors are not billed"),
        pytest.param("moderation", 400, 900, Usage(input=100, output=0), id="scores are not billed"),
    ],
)
def test_estimate(operation: str, bytes_in: int, bytes_out: int, usage: Usage) -> None:
    assert estimate(operation, bytes_in, bytes_out) == usage


def test_the_price_data_is_loaded_only_when_asked_for() -> None:
    """A start must not wait for it: importing and making a Pricing touches neither genai-prices nor pydantic."""
    code = "import sys; from sidecar.pricing import Pricing; Pricing()"
    code += "; print({'genai_prices', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

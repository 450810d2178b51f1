"""A provider that repeats the key it was sent does not give it to a caller."""

from __future__ import annotations

import pytest

from sidecar.core.catalog import Key
from sidecar.invoker import CallFailed
from tests.invoker.conftest import MakeScene
from tests.support.hostile import refusal

SECRET = "sk-secret-of-a"
"""The key of the rig's first account."""


async def test_a_key_that_a_provider_repeats_does_not_reach_the_caller(scene: MakeScene) -> None:
    rig, _ = await scene([refusal(401, f"Incorrect API key provided: {SECRET}.", name=f"bad {SECRET}")])
    failed = await rig.ask()
    assert isinstance(failed, CallFailed)
    assert SECRET not in str(failed.refusal)
    assert SECRET not in str(failed.refusal.metadata)
    assert failed.record.attempts[0].message == "Incorrect API key provided: sk-...of-a."


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        pytest.param("sk-0123456789", "key sk-0123456789!", "key sk-...6789!", id="masked"),
        pytest.param("sk-0123456789", "sk-0123456789sk-0123456789", "sk-...6789sk-...6789", id="each-time"),
        pytest.param("sk-0123456789", "sk-01", "sk-01", id="a-part-of-it-is-not-it"),
        pytest.param("none", "none of these", "none of these", id="a-word-is-no-secret"),
        pytest.param("", "no key", "no key", id="no-key"),
    ],
)
def test_hiding_a_key(secret: str, text: str, shown: str) -> None:
    assert Key("k", secret).hidden_in(text) == shown

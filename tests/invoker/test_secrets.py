"""A provider that repeats the key it was sent does not give it to a caller."""

from __future__ import annotations

import json

import pytest

from sidecar.core.catalog import Key
from sidecar.invoker import CallFailed
from tests.invoker.conftest import MakeScene
from tests.support.hostile import USAGE, Exchange, refusal, status

SECRET = "sk-secret-of-a"
"""The key of the rig's first account."""


async def test_a_key_that_a_provider_repeats_does_not_reach_the_caller(scene: MakeScene) -> None:
    rig, _ = await scene([refusal(401, f"Incorrect API key provided: {SECRET}.", name=f"bad {SECRET}")])
    failed = await rig.ask()
    assert isinstance(failed, CallFailed)
    assert SECRET not in str(failed.refusal)
    assert SECRET not in str(failed.refusal.metadata)
    assert failed.record.attempts[0].message == "Incorrect API key provided: sk-...of-a."


async def everywhere(exchange: Exchange) -> None:
    """A good answer, with the key wherever a word may stand."""
    choice = {"index": 0, "finish_reason": SECRET, "message": {"role": "assistant", "content": f"it is {SECRET}"}}
    body = {"id": SECRET, "model": SECRET, "system_fingerprint": SECRET, "choices": [choice], "usage": USAGE}
    await status(200, body, x_request_id=SECRET)(exchange)


async def torn(exchange: Exchange) -> None:
    """The same in a stream, each event cut in two in the midst of the key."""
    await exchange.head(
        200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-request-id": SECRET}
    )
    for choice in ({"delta": {"content": "hello"}}, {"delta": {}, "finish_reason": "stop"}):
        body = {"id": SECRET, "model": SECRET, "choices": [{"index": 0, **choice}], "usage": USAGE}
        event = b"data: " + json.dumps(body).encode() + b"\n\n"
        half = event.index(SECRET.encode()) + 5
        await exchange.piece(event[:half])
        await exchange.piece(event[half:])
    await exchange.event(b"[DONE]")
    await exchange.send(b"0\r\n\r\n")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_key_that_stands_in_an_answer_is_in_no_record(scene: MakeScene, streamed: bool) -> None:
    rig, _ = await scene([torn if streamed else everywhere])
    answered: object = await (rig.listen() if streamed else rig.ask())
    record = rig.record
    assert record.status == "ok"
    assert record.attempts[0].provider_request_id == record.model_reported == "sk-...of-a"
    assert SECRET not in repr(record)
    assert streamed or SECRET not in str(answered)


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
    key = Key("k", secret)
    assert key.hidden_in(text) == shown
    assert key.hidden_in_bytes(text.encode()) == shown.encode()

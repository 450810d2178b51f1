"""AWS Bedrock through the invoker: each try signs for itself."""

from __future__ import annotations

import json
from itertools import count

import pytest

from sidecar.core.call import Target, Usage
from sidecar.core.catalog import Alias, Catalog, Key, Route
from sidecar.invoker import Outcome
from sidecar.providers import bedrock
from tests.support.eventstream import event
from tests.support.predictions import Predictions, failing, predicting
from tests.support.providers import account
from tests.support.rig import SCALE, Rig, text_of

USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
WHOLE = {"output": {"message": {"content": [{"text": "Hello"}]}}, "stopReason": "end_turn", "usage": USAGE}
STREAM = (
    event("messageStart", {"role": "assistant"})
    + event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}})
    + event("messageStop", {"stopReason": "end_turn"})
    + event("metadata", {"usage": USAGE})
)


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes from one signature to the next."""
    clock = count(1_800_000_000, 60)
    wire = bedrock.wire_at(lambda: next(clock))
    monkeypatch.setattr("tests.support.rig.wire", lambda _: wire)


def rig_for(played: Predictions, secret: str) -> Rig:
    options = {"auth": "bearer", "region": "eu-west-1"}
    url = f"http://127.0.0.1:{played.port}"
    target = account("bedrock", name="a", base_url=url, keys=(Key("k", secret),), options=options)
    alias = Alias("smart", (Route(Target("a", "amazon.nova-lite-v1:0")),))
    return Rig(Catalog(accounts={"a": target}, aliases={"smart": alias}, time_scale=SCALE))


@pytest.mark.usefixtures("minutes")
async def test_a_second_try_is_signed_anew() -> None:
    async with predicting(failing(500), lambda _: (200, "application/json", json.dumps(WHOLE).encode())) as played:
        rig = rig_for(played, "AKIA1:secret-of-aws:session")
        outcome = await rig.ask()
        await rig.transport.close()
    assert isinstance(outcome, Outcome)
    assert rig.record.usage == Usage(input=3, output=2)
    first, again = played.hits
    assert first.line == again.line == "POST /model/amazon.nova-lite-v1%3A0/converse"
    assert first.headers["x-amz-date"] != again.headers["x-amz-date"]
    assert first.headers["authorization"] != again.headers["authorization"]
    assert "Credential=AKIA1/" in again.headers["authorization"]
    assert again.headers["host"] == f"127.0.0.1:{played.port}", "what was signed"


@pytest.mark.usefixtures("minutes")
async def test_a_stream_of_events() -> None:
    async with predicting(lambda _: (200, "application/vnd.amazon.eventstream", STREAM)) as played:
        rig = rig_for(played, "ABSKx")
        events, failure = await rig.listen()
        await rig.transport.close()
    assert failure is None
    assert text_of(events) == "Hello"
    assert (rig.record.usage, rig.record.attempts[0].finish_reasons) == (Usage(input=3, output=2), ("end_turn",))
    assert played.hits[0].headers["authorization"] == "Bearer ABSKx"

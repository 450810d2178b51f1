"""Answers of the Responses API through the invoker and a real engine: in the background, and under Azure's names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.call import CallStatus, Target, Usage
from sidecar.core.catalog import Account, Alias, Catalog, Key, Route
from sidecar.invoker import Outcome
from sidecar.providers import responses_reply
from tests.support.predictions import Answer, Predictions, predicting
from tests.support.providers import account
from tests.support.responses import message, response
from tests.support.rig import SCALE, Rig

USED = Usage(input=30, cache_read=10, output=20, reasoning=5)


def says(body: Any) -> Answer:
    return lambda _: (200, "application/json", json.dumps(body).encode())


def rig_at(played: Predictions, model: str, type_: str = "openai", **changes: Any) -> Rig:
    url = f"http://127.0.0.1:{played.port}"
    target: Account = account(type_, name="a", base_url=url, keys=(Key("k", "sk-secret"),), **changes)
    alias = Alias("smart", (Route(Target("a", model)),))
    return Rig(Catalog(accounts={"a": target}, aliases={"smart": alias}, time_scale=SCALE))


async def test_a_model_of_the_responses_api_is_spoken_to_by_it() -> None:
    async with predicting(says(response(message("Hello")))) as played:
        rig = rig_at(played, "o3-pro", model_wires={"o3-pro*": "openai-responses"})
        outcome = await rig.ask()
        await rig.transport.close()
    assert isinstance(outcome, Outcome)
    assert (played.lines, rig.record.usage) == (["POST /responses"], USED)


async def test_any_other_model_is_spoken_to_as_before() -> None:
    chat = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
    async with predicting(says(chat)) as played:
        rig = rig_at(played, "o3", model_wires={"o3-pro*": "openai-responses"})
        await rig.ask()
        await rig.transport.close()
    assert played.lines == ["POST /chat/completions"]


async def test_a_background_answer_is_fetched_beside_the_request_with_its_query_and_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(responses_reply, "POLL_S", 0.01)
    waiting = response(status="queued", usage=None)
    async with predicting(says(waiting), says(response(message("Hello")))) as played:
        options = {"auth": "api-key", "api_version": "preview"}
        rig = rig_at(played, "d", "azure", model_wires={"*": "azure-responses"}, options=options)
        outcome = await rig.ask()
        await rig.transport.close()
    assert isinstance(outcome, Outcome)
    address = "/openai/v1/responses"
    assert played.lines == [f"POST {address}?api-version=preview", f"GET {address}/resp_1?api-version=preview"]
    assert {hit.headers["api-key"] for hit in played.hits} == {"sk-secret"}
    assert (rig.record.status, rig.record.usage) == (CallStatus.OK, USED)

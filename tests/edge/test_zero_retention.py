"""Workspaces without retention, over the wire: what is left of a call is what it cost."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import CallRecord
from sidecar.journal.records import finished_payload, started_frame
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, Hostile
from tests.support.served import Served

TAG, CONVERSATION, STOP, PROMPT = "canary-tag", "canary-conversation", "canary-stop", "canary-prompt"
ERROR, ANSWER = "canary-error", "canary-answer"
EVERYTHING = (TAG, CONVERSATION, STOP, PROMPT, ERROR, ANSWER)


def spec(request_id: str = "", **fields: Any) -> pb.CallSpec:
    chat = payload.ChatRequest(prompt=PROMPT, stop=[STOP])
    chat.provider_options.update({"openai": {"store": True}, "a": {"store": True}})
    return pb.CallSpec(
        alias="smart", chat=chat, tags={"team": TAG}, conversation_id=CONVERSATION, request_id=request_id, **fields
    )


async def kept_nowhere(scene: MakeScene, act: Act, *, zero_retention: bool = True) -> tuple[Served, Hostile]:
    """A scene whose workspace keeps nothing."""
    served, (provider,) = await scene([act], tag_keys=frozenset({"team"}), zero_retention=zero_retention)
    accounts = served.rig.catalog.accounts
    served.rig.catalog = replace(
        served.rig.catalog,
        accounts={name: replace(each, zero_retention=zero_retention) for name, each in accounts.items()},
    )
    return served, provider


def journaled(served: Served) -> bytes:
    """What the journal would hold of all calls."""
    records: list[CallRecord] = served.records
    starts = [started_frame(record).SerializeToString() for record in served.rig.book.starts]
    return b"".join([*starts, *(finished_payload(record, 1 << 20) for record in records)])


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(on.answer(ANSWER), id="answered"),
        pytest.param(on.refusal(400, ERROR), id="refused"),
        pytest.param(on.status(500, {"error": {"message": ERROR}}), id="failed"),
        pytest.param(on.breaking(1, on.reset), id="broken"),
    ],
)
async def test_nothing_that_was_said_is_in_the_journal(act: Act, streamed: bool, scene: MakeScene) -> None:
    served, _ = await kept_nowhere(scene, act)
    asked = spec(str(uuid.uuid4()))
    await (served.listen(asked) if streamed else served.ask(asked))
    await served.settled()
    left = journaled(served)
    assert [word for word in EVERYTHING if word.encode() in left] == []
    assert {record.request_digest for record in served.records} == {b""}


async def test_the_same_call_elsewhere(scene: MakeScene) -> None:
    """A search that would not find what is there proves nothing."""
    served, _ = await kept_nowhere(scene, on.answer(ANSWER), zero_retention=False)
    await served.ask(spec(str(uuid.uuid4())))
    left = journaled(served)
    assert [word for word in (TAG, CONVERSATION, STOP) if word.encode() not in left] == []
    assert served.records[0].request_digest


async def test_the_provider_is_asked_to_keep_nothing(scene: MakeScene) -> None:
    served, provider = await kept_nowhere(scene, on.answer(ANSWER))
    await served.ask(spec())
    assert provider.bodies[0]["store"] is False


async def test_a_refused_call_keeps_nothing_either(scene: MakeScene) -> None:
    served, _ = await kept_nowhere(scene, on.answer(ANSWER))
    ending = await served.ask(spec("not a uuid"))
    assert ending.code == "INVALID_ARGUMENT"
    assert [word for word in EVERYTHING if word.encode() in journaled(served)] == []


async def test_tags_are_checked_all_the_same(scene: MakeScene) -> None:
    served, _ = await kept_nowhere(scene, on.answer(ANSWER))
    asked = spec()
    asked.tags["nobody"] = "x"
    assert "call.tags['nobody']" in (await served.ask(asked)).message


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
async def test_a_repeat_is_not_answered_from_memory(streamed: bool, scene: MakeScene) -> None:
    served, provider = await kept_nowhere(scene, on.answer(ANSWER))
    asked = spec(str(uuid.uuid4()))
    for expected in ("OK", "ALREADY_EXISTS", "ALREADY_EXISTS"):
        got: Any = await (served.listen(asked) if streamed else served.ask(asked))
        assert (got[1] if streamed else got).code == expected
    assert len(served.requests.answers) == served.requests.answers.used_bytes == 0
    assert len(provider.hits) == len(served.records) == 1
    assert (await served.ask(spec(asked.request_id, workspace_id="default"))).reason == "REQUEST_ALREADY_SERVED"

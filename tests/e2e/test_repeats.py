"""Repeats across restarts of real processes: what was answered, and what a kill -9 left in mid-flight."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE, Actor, PlatformKeys, Workspace
from taximeter import errors
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import invocation_pb2_grpc
from taximeter.v1 import payload_pb2 as payload
from tests.support.stack import Process, Stack, stack, until

pytestmark = [pytest.mark.xdist_group("repeats"), pytest.mark.timeout(120)]

TAG, CONVERSATION, PROMPT = "canary-tag-7d20", "canary-conversation-11e8", "canary-prompt-90ab"


@dataclass
class Scene:
    stack: Stack
    sidecar: Process

    def ask(self, asked: pb.CallSpec) -> pb.InvokeResponse:
        """Raises TaximeterError."""
        with grpc.insecure_channel(self.stack.address) as channel:
            stub: Any = invocation_pb2_grpc.InvocationServiceStub(channel)
            try:
                answer: pb.InvokeResponse = stub.Invoke(pb.InvokeRequest(call=asked), timeout=30)
            except grpc.RpcError as failed:
                raise errors.from_rpc(failed) from None
        return answer

    def refused(self, asked: pb.CallSpec) -> errors.TaximeterError:
        with pytest.raises(errors.TaximeterError) as failed:
            self.ask(asked)
        return failed.value

    def again(self) -> None:
        self.sidecar = self.stack.sidecar()

    @property
    def seen(self) -> int:
        """Requests that came to the provider with a marker."""
        return len(self.stack.markers())


def spec(model: str = "plain", **fields: Any) -> pb.CallSpec:
    """A call with an id of its own, by which the provider tells it too."""
    request_id = str(uuid.uuid4())
    chat = payload.ChatRequest(prompt=f"{PROMPT} {request_id}")
    target = pb.ModelRef(provider="loop", model=model)
    return pb.CallSpec(target=target, chat=chat, request_id=request_id, **fields)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with stack() as made:
        made.provider()
        yield Scene(made, made.sidecar())


@pytest.mark.parametrize("killed", [False, True], ids=["restart", "kill-9"])
def test_what_was_answered_is_not_sent_again(killed: bool, scene: Scene) -> None:
    asked = spec()
    first = scene.ask(asked)
    assert scene.ask(asked).metering.replayed
    if killed:
        scene.sidecar.kill()
    else:
        assert scene.sidecar.stop() == 0
    scene.again()
    again = scene.refused(asked)
    assert isinstance(again, errors.AlreadyServed)
    assert again.call_id == first.metering.call_id
    assert scene.seen == 1
    assert isinstance(scene.refused(_changed(asked)), errors.RequestIdReused)


def test_the_ledger_tells_what_it_came_to(scene: Scene) -> None:
    scene.stack.bookkeeper()
    asked = spec()
    first = scene.ask(asked)
    assert scene.sidecar.stop() == 0
    scene.again()

    def told() -> bool:
        again = scene.refused(asked)
        return again.metering is not None and again.metering.cost == first.metering.cost

    until(told, "the ledger has the call")
    again = scene.refused(asked).metering
    assert again is not None
    assert (again.replayed, again.usage, again.provider) == (True, first.metering.usage, "loop")


def test_what_a_kill_left_in_mid_flight_is_not_sent_again(scene: Scene) -> None:
    asked = spec("slow-20000")
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            scene.ask(asked)
        except errors.TaximeterError as error:
            failed.append(error)

    asking = threading.Thread(target=wait)
    asking.start()
    until(lambda: scene.seen == 1, "the provider is asked")
    scene.sidecar.kill()
    asking.join()
    assert failed
    scene.again()
    again = scene.refused(asked)
    assert (again.reason, again.code) == ("REQUEST_ALREADY_SERVED", "ALREADY_EXISTS")
    assert "under way when the sidecar died" in again.message
    assert again.call_id
    assert scene.seen == 1


def test_what_failed_for_nothing_may_be_sent_after_a_restart(scene: Scene) -> None:
    asked = spec("dead")
    scene.refused(asked)
    assert scene.sidecar.stop() == 0
    before = scene.seen
    scene.again()
    assert scene.refused(asked).reason == "ALL_ATTEMPTS_FAILED"
    assert scene.seen > before


def test_files_that_are_gone_are_made_good_from_the_journal(scene: Scene) -> None:
    """As after a power loss, or on a full disk."""
    asked = spec()
    scene.ask(asked)
    scene.sidecar.kill()
    for path in (scene.stack.home / "requests").iterdir():
        path.write_bytes(b"")
    scene.again()
    assert scene.refused(asked).reason == "REQUEST_ALREADY_SERVED"
    assert scene.seen == 1


def _changed(asked: pb.CallSpec) -> pb.CallSpec:
    other = pb.CallSpec()
    other.CopyFrom(asked)
    other.chat.prompt += "!"
    return other


def test_a_workspace_without_retention_leaves_nothing_on_disk() -> None:
    with stack() as made:
        made.provider()
        made.home.mkdir(parents=True)
        _without_retention(made.home)
        scene = Scene(made, made.sidecar())
        asked = spec(tags={"team": TAG}, conversation_id=CONVERSATION)
        asked.chat.stop.append(PROMPT)
        first = scene.ask(asked)
        assert scene.refused(asked).call_id == first.metering.call_id
        assert scene.sidecar.stop() == 0
        left = b"".join(path.read_bytes() for path in made.home.rglob("*") if path.is_file())
        assert first.metering.call_id.encode() in left
        assert [word for word in (TAG, CONVERSATION, PROMPT) if word.encode() in left] == []
        scene.again()
        assert scene.refused(asked).reason == "REQUEST_ALREADY_SERVED"
        assert scene.seen == 1


def _without_retention(home: Path) -> None:
    """Before anything is started."""
    store = ControlStore(f"sqlite:///{home / 'control.db'}", Clock())
    workspace = Workspace(DEFAULT_WORKSPACE, platform_keys=PlatformKeys.ALWAYS, zero_retention=True)
    store.change(Actor("test"), lambda change: change.put("workspace.update", workspace))
    store.close()

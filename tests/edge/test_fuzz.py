"""Whatever bytes, specs and metadata come: an answer or a refusal with its reason, never INTERNAL, one row a call.

One server and one loop serve all examples, over a real socket.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taximeter.v1 import invocation_pb2 as pb
from tests.support import hostile as on
from tests.support.hostile import hostile
from tests.support.rig import catalog_of
from tests.support.served import Ending, Served, served

INVOKE = "taximeter.v1.InvocationService/Invoke"
METHODS = st.sampled_from([
    INVOKE, "taximeter.v1.InvocationService/InvokeStream", "taximeter.v1.CatalogService/ListPrices",
    "taximeter.v1.UsageService/QueryUsage", "taximeter.v1.UsageService/ExportUsage",
])  # fmt: skip
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = ["", "smart", "a", "ma", "text", "default", "x" * 300, "\x00", "字" * 200, "🚕" * 128, "'\"\n", "auto", "00-ff"]
NUMBERS = [0, 1, -1, 2, 2**31 - 1, -(2**31)]
REALS = [0.0, -0.0, 0.5, 1e308, float("nan"), float("inf"), -1.0]


class Edge:
    """What is served, and the loop it is served on."""

    def __init__(self, runner: asyncio.Runner, what: Served) -> None:
        self._runner = runner
        self.served = what

    def run(self, work: Any) -> Any:
        return self._runner.run(work)


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    stack = AsyncExitStack()

    async def enter() -> Served:
        provider = await stack.enter_async_context(hostile(on.answer("hi")))
        return await stack.enter_async_context(served(catalog_of([provider.base_url])))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield Edge(runner, runner.run(enter()))
        runner.run(stack.aclose())


def scalar(field: Any, chance: random.Random) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = chance.choice(TEXT)
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return chance.choice(REALS)
        case FieldDescriptor.CPPTYPE_ENUM:
            return chance.randint(0, 12)
    return chance.choice(NUMBERS)


def fill(message: Message, chance: random.Random, depth: int = 0) -> None:
    """Sets fields by chance: anything that the type can hold."""
    for field in message.DESCRIPTOR.fields:
        likely = 0.9 if depth == 0 and field.name == "call" else 0.25
        if depth <= 5 and chance.random() < likely:
            fill_field(message, field, chance, depth)


def fill_field(message: Message, field: Any, chance: random.Random, depth: int) -> None:
    held: Any = getattr(message, field.name)
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        for _ in range(chance.randint(1, 20)):
            key = chance.choice(TEXT) + str(chance.random())
            if value.message_type is not None:
                fill(held[key], chance, depth + 1)
            else:
                held[key] = scalar(value, chance)
    elif field.is_repeated:
        for _ in range(chance.randint(1, 3)):
            if kind is not None:
                fill(held.add(), chance, depth + 1)
            else:
                held.append(scalar(field, chance))
    elif kind is not None:
        held.SetInParent()
        fill(held, chance, depth + 1)
    else:
        setattr(message, field.name, scalar(field, chance))


def check(edge: Edge, ending: Ending, begun_before: int) -> None:
    """Told by us or well; and recorded once, if it began."""
    what = edge.served
    edge.run(what.settled())
    assert ending.code not in ("INTERNAL", "UNKNOWN", "CANCELLED"), ending.message
    if ending.code != "OK":
        assert ending.reason, f"{ending.code} without a reason: {ending.message}"
        assert ending.message
    begun = what.rig.book.begun
    assert len(what.records) == begun
    assert begun - begun_before <= 1
    told = {"planned", "after_fault", "passed_over"}  # a call may itself set time-outs that nobody can keep
    assert [name for name, _ in what.rig.notes.lines if name not in told] == []


@QUICK
@given(method=METHODS, body=st.binary(max_size=300))
def test_arbitrary_bytes(edge: Edge, method: str, body: bytes) -> None:
    before = edge.served.rig.book.begun
    check(edge, edge.run(edge.served.raw(method, body)), before)


@QUICK
@given(seed=st.integers(0, 2**32))
def test_arbitrary_specs(edge: Edge, seed: int) -> None:
    request = pb.InvokeRequest()
    fill(request, random.Random(seed))
    before = edge.served.rig.book.begun
    check(edge, edge.run(edge.served.raw(INVOKE, request)), before)


@QUICK
@given(seed=st.integers(0, 2**32))
def test_good_calls_with_one_thing_changed(edge: Edge, seed: int) -> None:
    """These mostly reach a provider."""
    chance = random.Random(seed)
    request = pb.InvokeRequest(call=pb.CallSpec(alias="smart"))
    request.call.chat.prompt = "hello"
    owner = chance.choice([request.call, request.call.chat])
    fill_field(owner, chance.choice(owner.DESCRIPTOR.fields), chance, 3)
    before = edge.served.rig.book.begun
    check(edge, edge.run(edge.served.raw(INVOKE, request)), before)


@QUICK
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 400), flip=st.integers(0, 255))
def test_damaged_specs(edge: Edge, seed: int, cut: int, flip: int) -> None:
    """One byte of a good message is another."""
    request = pb.InvokeRequest()
    fill(request, random.Random(seed))
    body = bytearray(request.SerializeToString())
    if body:
        body[cut % len(body)] = flip
    before = edge.served.rig.book.begun
    check(edge, edge.run(edge.served.raw(INVOKE, bytes(body))), before)


KEYS = st.sampled_from(["traceparent", "authorization", "taximeter-workspace", "x-anything", "x-bytes-bin"])
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=120)


@QUICK
@given(entries=st.lists(st.tuples(KEYS, VALUES), max_size=8))
def test_arbitrary_metadata(edge: Edge, entries: list[tuple[str, str]]) -> None:
    """Nothing in it stops a good call, or moves it to another workspace; but who shows a token shows a good one."""
    metadata = tuple((key, value.encode() if key.endswith("-bin") else value) for key, value in entries)
    spec = pb.CallSpec(alias="smart")
    spec.chat.prompt = "hello"
    before = edge.served.rig.book.begun
    ending = edge.run(edge.served.ask(spec, metadata=metadata))
    check(edge, ending, before)
    if any(key == "authorization" for key, _ in entries):
        assert ending.code == "UNAUTHENTICATED"
        return
    assert ending.code == "OK"
    assert edge.served.records[-1].workspace == "default"

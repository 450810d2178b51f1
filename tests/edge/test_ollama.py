"""Calls to an Ollama through real gRPC: its wire among the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sidecar.core.call import Operation, Target
from sidecar.core.catalog import Account, Alias, Catalog, Route
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.support.fakeollama import ollama
from tests.support.served import Served, served

SPEC = pb.CallSpec(alias="text", chat=payload.ChatRequest(prompt="hello"))


@asynccontextmanager
async def scene() -> AsyncIterator[Served]:
    async with ollama() as fake:
        account = Account(
            "ollama", "ollama", "ollama", fake.url, needs_key=False, operations=frozenset({Operation.CHAT})
        )
        catalog = Catalog({"ollama": account}, {"text": Alias("text", (Route(Target("ollama", "small")),))})
        async with served(catalog) as edge:
            yield edge


async def test_a_call_is_answered_and_metered() -> None:
    async with scene() as edge:
        answer = (await edge.ask(SPEC)).answer
    assert answer.chat.choices[0].message.text == "hi"
    assert (answer.metering.usage.input_tokens, answer.metering.usage.output_tokens) == (3, 1)
    assert answer.chat.provider_metadata["load_duration"] == 12


async def test_a_stream_s_end_tells_what_the_server_said_besides() -> None:
    async with scene() as edge:
        events, ending = await edge.listen(SPEC)
    assert (ending.code, [event.WhichOneof("event") for event in events]) == ("OK", ["started", "delta", "finished"])
    finished = events[-1].finished
    assert finished.provider_metadata["load_duration"] == 12
    assert (finished.metering.usage.input_tokens, finished.choices[0].finish_reason) == (3, "stop")

"""Local models through real gRPC, in front of a fake Ollama."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from sidecar.core.catalog import Account, Catalog, Key
from taximeter import errors
from taximeter.v1 import models_pb2 as pb
from taximeter.v1 import models_pb2_grpc
from tests.support.fakeollama import LAYER, FakeOllama, ollama
from tests.support.served import served

SECRET = "sk-ollama-0123456789"
NOBODY = "http://127.0.0.1:9"


def accounts(url: str, max_answer_bytes: int = 1 << 20) -> Catalog:
    found = (
        Account("ollama", "ollama", "ollama", url, keys=(Key("k", SECRET),), display="Ollama"),
        Account("asleep", "ollama", "ollama", NOBODY),
        Account("idle", "ollama", "ollama", url, unusable="OLLAMA_BASE_URL is not set"),
        Account("openai", "openai", "openai", url, display="OpenAI"),
    )
    return Catalog({account.name: account for account in found}, {}, max_answer_bytes=max_answer_bytes)


@asynccontextmanager
async def scene(**limits: int) -> AsyncIterator[tuple[Any, FakeOllama]]:
    async with ollama() as fake, served(accounts(fake.url, **limits)) as edge:
        yield models_pb2_grpc.ModelServiceStub(edge.channel), fake


async def test_what_is_held_is_listed() -> None:
    async with scene() as (stub, fake):
        (model,) = (await stub.ListLocalModels(pb.ListLocalModelsRequest())).models
    assert (model.name, model.size_bytes, model.digest) == ("small:latest", 1_300_000_000, "baf6a787fdff")
    assert (model.family, model.parameter_size, model.quantization) == ("llama", "1.2B", "Q4_K_M")
    assert model.modified_at.ToJsonString() == "2026-11-01T08:00:00.123456789Z"
    assert fake.requests == [("GET", "/api/tags", {})]


async def test_the_account_s_key_goes_along() -> None:
    async with scene() as (stub, fake):
        await stub.ListLocalModels(pb.ListLocalModelsRequest(provider="ollama"))
    assert fake.keys == [f"Bearer {SECRET}"]


async def test_a_model_is_shown() -> None:
    async with scene() as (stub, _):
        shown = await stub.ShowLocalModel(pb.ShowLocalModelRequest(model="small:latest"))
    assert (shown.model.name, shown.model.family, shown.context_tokens) == ("small:latest", "llama", 8192)
    assert list(shown.capabilities) == ["completion", "tools"]
    assert (shown.license, shown.template, shown.parameters) == ("MIT", "{{ .Prompt }}", "stop x\nnum_ctx 2048")
    assert shown.details["format"] == "gguf"
    assert "tokenizer.ggml.tokens" not in shown.details["model_info"]


async def test_a_deleted_model_is_gone() -> None:
    async with scene() as (stub, fake):
        await stub.DeleteLocalModel(pb.DeleteLocalModelRequest(model="small:latest"))
        assert not (await stub.ListLocalModels(pb.ListLocalModelsRequest())).models
    assert fake.requests[0] == ("DELETE", "/api/delete", {"model": "small:latest"})


async def test_a_pull_tells_its_progress_to_the_end() -> None:
    async with scene() as (stub, fake):
        told = [each async for each in stub.PullLocalModel(pb.PullLocalModelRequest(model="new"))]
    assert [(each.status, each.completed_bytes, each.total_bytes) for each in told] == [
        ("pulling manifest", 0, 0),
        (f"pulling {LAYER}", 0, 100),
        (f"pulling {LAYER}", 60, 100),
        (f"pulling {LAYER}", 100, 100),
        ("verifying sha256 digest", 0, 0),
        ("success", 0, 0),
    ]
    assert told[1].digest == LAYER
    assert "new:latest" in fake.held


async def test_a_pull_may_say_more_than_an_answer() -> None:
    """Its progress goes on for hours; only a single line is bounded."""
    async with scene(max_answer_bytes=100) as (stub, _):
        told = [each async for each in stub.PullLocalModel(pb.PullLocalModelRequest(model="new"))]
    assert told[-1].status == "success"


async def test_who_hangs_up_stops_the_pull() -> None:
    async with scene() as (stub, fake):
        pull = stub.PullLocalModel(pb.PullLocalModelRequest(model="slow"))
        assert (await pull.read()).completed_bytes == 1
        pull.cancel()
        async with asyncio.timeout(10):
            await fake.left.wait()


@pytest.mark.parametrize(
    ("provider", "model", "ended", "words"),
    [
        pytest.param("", "nope", ("NOT_FOUND", "MODEL_NOT_FOUND"),
                     "Model not found: 'nope' at provider 'ollama'", id="unknown model"),
        pytest.param("asleep", "m", ("UNAVAILABLE", "NO_PROVIDER_AVAILABLE"),
                     f"asleep does not answer at {NOBODY}", id="server not running"),
        pytest.param("idle", "m", ("FAILED_PRECONDITION", "PROVIDER_NOT_INITIALIZED"),
                     "Provider not initialized: OLLAMA_BASE_URL is not set", id="not configured"),
        pytest.param("nobody", "m", ("NOT_FOUND", "UNKNOWN_PROVIDER"),
                     "Unknown provider 'nobody'", id="unknown account"),
        pytest.param("openai", "m", ("UNIMPLEMENTED", "OPERATION_NOT_SUPPORTED"),
                     "OpenAI does not offer management of local models; accounts of type ollama do "
                     "(asleep, idle, ollama)", id="not an ollama"),
        pytest.param("", " ", ("INVALID_ARGUMENT", "INVALID_REQUEST"), "Name a model.", id="no model named"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["ShowLocalModel", "DeleteLocalModel", "PullLocalModel"])
async def test_a_refusal_says_what_to_do(
    method: str, provider: str, model: str, ended: tuple[str, str], words: str
) -> None:
    async with scene() as (stub, _):
        error = await _refused(stub, method, provider, model)
    assert (error.code, error.reason) == ended
    assert error.message.startswith(words)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param(
            "huge", "The disk of ollama is full: write /models/blobs/x-partial: no space left", id="disk full"
        ),
        pytest.param(
            "cut", "ollama: the server ended the pull without saying that it is done. What was downl", id="cut"
        ),
    ],
)
async def test_a_pull_that_fails_says_why(model: str, words: str) -> None:
    async with scene() as (stub, _):
        error = await _refused(stub, "PullLocalModel", "", model)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "LOCAL_MODELS_FAILED")
    assert isinstance(error, errors.LocalModelsFailed)
    assert error.message.startswith(words)


async def _refused(stub: Any, method: str, provider: str, model: str) -> errors.TaximeterError:
    request = getattr(pb, f"{method}Request")(provider=provider, model=model)
    answer = getattr(stub, method)(request)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (_end_of(answer) if method == "PullLocalModel" else answer)
    return errors.from_rpc(failed.value)


async def _end_of(pull: Any) -> None:
    async for _ in pull:
        pass

"""A client shows its token with everything it asks, over any channel, and shows it to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from sidecar.core.faults import Refusal, RefusalReason
from taximeter import AsyncClient, Client, calls, errors
from taximeter.v1 import catalog_pb2, catalog_pb2_grpc
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1.invocation_pb2_grpc import InvocationServiceStub
from taximeter.v1.payload_pb2 import ChatRequest
from tests.support.fakesidecar import FakeSidecar

TOKEN = "txm_abcdefghijkl_c2VjcmV0LXNlY3JldC1zZWNyZXQ"
HELLO = pb.InvokeRequest(call=pb.CallSpec(chat=ChatRequest(prompt="hi")))


@pytest.fixture
def shown(fake: FakeSidecar, address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a client of these arguments says of its caller."""

    def ask(**arguments: Any) -> Any:
        with Client(address, timeout=20, **arguments) as client:
            client.chat("hi")
        return fake.metadata.get("authorization")

    monkeypatch.delenv("TAXIMETER_TOKEN", raising=False)
    return ask


def test_a_token_is_shown_as_a_bearer_token(shown: Any) -> None:
    assert shown(token=TOKEN) == f"Bearer {TOKEN}"


def test_without_one_nothing_is_shown(shown: Any) -> None:
    assert shown() is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, f"Bearer {TOKEN}"), ("txm_other_1", "Bearer txm_other_1"), ("", None)],
    ids=["from the environment", "given before the environment", "none, whatever the environment says"],
)
def test_the_environment_may_give_it(
    shown: Any, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str | None
) -> None:
    monkeypatch.setenv("TAXIMETER_TOKEN", f"{TOKEN}\n")
    assert shown(token=given) == expected


async def test_the_client_for_asyncio_shows_it_too(fake: FakeSidecar, address: str) -> None:
    async with AsyncClient(address, token=TOKEN, timeout=20) as client:
        await client.chat("hi")
    assert fake.metadata["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_no_picture_of_a_client_shows_it(kind: type[Client | AsyncClient], address: str) -> None:
    client = kind(address, token=TOKEN)
    assert TOKEN not in f"{client!r} {client}"
    done: Any = client.close()
    if done is not None:
        await done


@pytest.mark.parametrize("wrong", ["two words", "naïve", "a\nb", "\x00"])
def test_what_cannot_be_a_token_is_refused_without_being_told(wrong: str) -> None:
    """gRPC would tell the whole of it: "metadata was invalid: [('authorization', ...)]"."""
    with pytest.raises(ValueError, match="not one word") as refused:
        Client("127.0.0.1:1", token=wrong)
    assert wrong not in str(refused.value)


@pytest.mark.parametrize(("workspace_id", "sent"), [(42, "42"), ("acme", "acme"), (0, "0")])
def test_a_workspace_is_a_name_or_a_number(workspace_id: int | str, sent: str) -> None:
    assert calls.chat_spec("hi", {"workspace_id": workspace_id}).workspace_id == sent


def test_any_service_is_asked_as_the_client_asks(fake: FakeSidecar, address: str) -> None:
    with Client(address, token=TOKEN, timeout=20) as client:
        stub = client.service(catalog_pb2_grpc.CatalogServiceStub)
        found = stub.ListProviders(catalog_pb2.ListProvidersRequest())
        assert [each.name for each in found.providers] == ["openai"]


async def test_any_service_is_asked_by_asyncio(fake: FakeSidecar, address: str) -> None:
    async with AsyncClient(address, token=TOKEN, timeout=20) as client:
        stub = client.service(catalog_pb2_grpc.CatalogServiceStub)
        found = await stub.ListProviders(catalog_pb2.ListProvidersRequest())
        assert [each.name for each in found.providers] == ["openai"]


async def test_a_service_fails_with_our_errors(fake: FakeSidecar, address: str) -> None:
    fake.refusal = Refusal("PERMISSION_DENIED", RefusalReason.ROLE_REQUIRED, "no")
    with Client(address, timeout=20) as client:
        stub = client.service(InvocationServiceStub)
        with pytest.raises(errors.PermissionDenied):
            stub.Invoke(pb.InvokeRequest())
        with pytest.raises(errors.PermissionDenied):
            list(stub.InvokeStream(pb.InvokeStreamRequest()))
    async with AsyncClient(address, timeout=20) as aclient:
        stub = aclient.service(InvocationServiceStub)
        with pytest.raises(errors.PermissionDenied):
            [event async for event in stub.InvokeStream(pb.InvokeStreamRequest())]


def test_a_timeout_is_the_clients_unless_said_otherwise(fake: FakeSidecar, address: str) -> None:
    with Client(address, timeout=20) as client:
        stub = client.service(InvocationServiceStub)
        stub.Invoke(HELLO)
        assert fake.remaining_s is not None
        assert 10 < fake.remaining_s < 21
        stub.Invoke(HELLO, timeout=5)
        assert 1 < fake.remaining_s < 6


def test_over_tls_too() -> None:
    """A channel with credentials is made of the same parts; nothing is asked of it here."""
    with Client("127.0.0.1:1", token=TOKEN, credentials=grpc.ssl_channel_credentials()) as client:
        assert client._token == TOKEN

"""Callers of a real sidecar: tokens, an identity provider's tokens, and what stands nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sidecar.edge.bearer import taken_apart
from taximeter import Client, errors
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.books import booked
from tests.support.issuer import AUDIENCE, issuer, rsa_key
from tests.support.stack import Stack, stack


@pytest.fixture
def running() -> Iterator[Stack]:
    """A sidecar, a bookkeeper, a provider; over TCP a token is asked for."""
    with stack(TAXIMETER_REQUIRE_TOKEN="true", LOG_LEVEL="debug") as made:
        made.provider()
        made.sidecar()
        made.bookkeeper()
        yield made


def tcp(running: Stack) -> str:
    address: str = json.loads((running.home / "sidecar.lock").read_text())["address"]
    return address


def test_a_tenants_call_is_the_tenants_and_its_token_stands_nowhere(running: Stack) -> None:
    with Client(running.address, token="", timeout=20) as local:
        local.service(WorkspaceServiceStub).CreateWorkspace(
            pb.CreateWorkspaceRequest(workspace_id="42", platform_keys=pb.PLATFORM_KEYS_ALWAYS)
        )
        made = local.service(TokenServiceStub).CreateToken(pb.CreateTokenRequest(workspace_id="42", name="ci"))
    with Client(tcp(running), token="", timeout=20) as nobody, pytest.raises(errors.Unauthenticated):
        nobody.chat("hi")
    with Client(tcp(running), token=made.secret, timeout=20) as client:
        client.chat("hi", workspace_id=42)
        with pytest.raises(errors.PermissionDenied) as refused:
            client.chat("hi", workspace_id="default")
        assert refused.value.reason == "WORKSPACE_MISMATCH"
        with pytest.raises(errors.PermissionDenied):
            client.reload()
    rows = booked(running)
    assert [(row["workspace"], row["caller"], row["status"]) for row in rows] == [
        ("42", made.token.token_id, "ok"),
        ("42", made.token.token_id, "refused"),
    ]
    proof = taken_apart(made.secret)[1].encode()
    found = [path for path in running.folder.rglob("*") if path.is_file() and proof in path.read_bytes()]
    assert found == []


async def test_an_identity_providers_token(running: Stack) -> None:
    import asyncio

    async with issuer() as provider:
        for process in running.processes[1:]:
            process.stop()
        running.env |= {"TAXIMETER_JWT_ISSUER": provider.url, "TAXIMETER_JWT_AUDIENCE": AUDIENCE}
        await asyncio.to_thread(running.sidecar)
        token = provider.token(rsa_key(), workspace="default", sub="ada@example.com")

        def call() -> pb.WhoAmIResponse:
            with Client(tcp(running), token=token, timeout=20) as client:
                assert client.chat("hi").text
                return client.service(TokenServiceStub).WhoAmI(pb.WhoAmIRequest())

        who = await asyncio.to_thread(call)
    assert (who.caller, who.role) == ("jwt:ada@example.com", pb.CALLER_ROLE_MEMBER)

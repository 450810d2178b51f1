"""What a provider is asked about a key, over real sockets, and what people are told of its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sidecar.core.catalog import Account
from sidecar.core.clock import Clock
from sidecar.plane.verification import Verified, Verifier
from sidecar.providers.registry import wire
from sidecar.providers.transport import HttpxTransport
from tests.support import hostile as on
from tests.support.hostile import Act, dead_url, hostile

SECRET = "sk-a-very-secret-key-0123"
OPENAI = Account("openai", "openai", "openai", "https://api.openai.com/v1", display="OpenAI")
MODELS = on.status(200, {"data": [{"id": "ma"}, {"id": "mb"}]})
param = pytest.param


@pytest.fixture
async def verifier() -> AsyncIterator[Verifier]:
    transport = HttpxTransport()
    yield Verifier(wire, transport, Clock(), lambda: 0.1)
    await transport.close()


async def verified(verifier: Verifier, act: Act) -> Verified:
    async with hostile(act) as provider:
        return await verifier.verified(replace(OPENAI, base_url=provider.base_url), SECRET)


async def test_a_good_key_is_told_with_what_it_opens(verifier: Verifier) -> None:
    async with hostile(MODELS) as provider:
        found = await verifier.verified(replace(OPENAI, base_url=provider.base_url), SECRET)
    assert (found.ok, found.error_type, found.models) == (True, "", ("ma", "mb"))
    assert found.message == "OpenAI takes this key and lists 2 models."
    assert found.took_ns > 0
    assert provider.keys == [SECRET]


ANSWERS = [
    param(on.UNAUTHORIZED, "key_rejected", "OpenAI rejected this key (401). Check that it was copied whole", id="401"),
    param(on.refusal(403, "missing scopes"), "key_rejected", "add it without verification", id="403"),
    param(on.status(404), "not_supported", "lists no models: the key is not checked", id="no-list"),
    param(on.status(503), "server_error", "OpenAI answered with an error (503)", id="down"),
    param(on.status(429), "rate_limited", "too many requests, or no credit", id="rate-limited"),
    param(on.status(302, location="http://127.0.0.1:1/"), "server_error", "a redirect (302), which is not", id="moved"),
    param(on.silence, "response_timeout", "could not be reached (no answer within 1 s)", id="silent"),
    param(on.reset, "connection_reset", "could not be reached", id="reset"),
]


@pytest.mark.parametrize(("act", "error_type", "told"), ANSWERS)
async def test_what_is_wrong_is_told_to_a_person(verifier: Verifier, act: Act, error_type: str, told: str) -> None:
    found = await verified(verifier, act)
    assert (found.ok, found.error_type) == (False, error_type)
    assert told in found.message
    assert found.refused == (error_type == "key_rejected")
    assert found.unchecked == (error_type == "not_supported")


async def test_a_provider_that_is_not_there_is_told(verifier: Verifier) -> None:
    found = await verifier.verified(replace(OPENAI, base_url=dead_url()), SECRET)
    assert found.error_type == "connect_error"


async def test_a_redirect_is_not_followed(verifier: Verifier) -> None:
    async with hostile(MODELS) as elsewhere:
        found = await verified(verifier, on.status(307, location=f"{elsewhere.base_url}/models"))
    assert not found.ok
    assert not elsewhere.hits


async def test_the_key_stands_in_no_message(verifier: Verifier) -> None:
    """Providers' own words may hold it."""
    found = await verified(verifier, on.refusal(401, f"no such key: {SECRET}"))
    assert "no such key: sk-...0123" in found.message
    assert SECRET not in repr(found)


UNUSABLE = [
    param(replace(OPENAI, wire="nope"), "the nope wire is not available", id="no-such-wire"),
    param(replace(OPENAI, unusable="it has no address"), "it has no address", id="no-address"),
]


@pytest.mark.parametrize(("account", "told"), UNUSABLE)
async def test_where_nothing_can_be_asked_nothing_is(verifier: Verifier, account: Account, told: str) -> None:
    found = await verifier.verified(account, SECRET)
    assert (found.ok, found.error_type) == (False, "unusable")
    assert told in found.message

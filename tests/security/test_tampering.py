"""Somebody with the control store in their hands, and without the encryption key: what they change opens no more, says
so, leads nowhere, and leaves all else as it was.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from taximeter import AsyncClient, TaximeterError
from taximeter.v1 import keys_pb2, keys_pb2_grpc, workspaces_pb2, workspaces_pb2_grpc
from tests.support.hostile import Hostile, House, answer, house
from tests.support.stack import Stack, stack
from tests.support.vault import key_text

pytestmark = [pytest.mark.xdist_group("tampering"), pytest.mark.timeout(120)]

SET = "UPDATE ai_provider_keys SET"
TAMPERED = {
    # provider: what is done to its key (:key), with :other the key of another workspace, and :evil an address
    "openai": f"{SET} sealed = flipped(sealed) WHERE key_id = :key",
    "groq": f"{SET} sealed = x'' WHERE key_id = :key",
    "mistral": f"{SET} base_url = :evil WHERE key_id = :key",
    "together": f"{SET} version = 7 WHERE key_id = :key",
    "deepseek": f"{SET} sealed = (SELECT sealed FROM ai_provider_keys WHERE key_id = :whole) WHERE key_id = :key",
    "xai": f"{SET} data_key_id = (SELECT data_key_id FROM ai_provider_keys WHERE key_id = :other) WHERE key_id = :key",
    "cerebras": f"{SET} sealed = (SELECT sealed FROM ai_provider_keys WHERE key_id = :other), "
    "data_key_id = (SELECT data_key_id FROM ai_provider_keys WHERE key_id = :other) WHERE key_id = :key",
    "moonshot": f"{SET} key_id = :key || 'x' WHERE key_id = :key",
    "huggingface": f"{SET} sealed = zeroblob(70000) WHERE key_id = :key",
}
WHOLE = "fireworks"
"""The provider whose key nobody touches."""
MOVED = "alibaba"
"""A provider of which only the other workspace has a key, which is moved to ours."""
SECRET = "sk-secret-of-"
WORDS = "words of an answer"


@dataclass
class Found:
    """What became of it."""

    states: dict[str, int] = field(default_factory=dict)
    """Provider -> the state of its key."""
    endings: dict[str, str] = field(default_factory=dict)
    """Provider -> the answer, or the reason that there is none."""
    hits: dict[str, int] = field(default_factory=dict)
    told: str = ""
    """All refusals."""
    log: str = ""
    sent: set[str] = field(default_factory=set)
    """Keys that reached the address that a row was changed to."""


class Scene:
    """A stack over a house of providers, one a key."""

    def __init__(self, running: Stack, providers: House) -> None:
        self.stack = running
        self.house = providers
        self.ids: dict[str, str] = {}

    def stage(self, name: str) -> Hostile:
        return self.house.stages.get(name) or self.house.stage(name, answer(WORDS))

    async def add(self, client: AsyncClient, provider: str) -> None:
        asked = keys_pb2.AddKeyRequest(
            provider=provider,
            api_key=f"{SECRET}{provider}-0123456789",
            base_url=self.stage(provider).base_url,
            skip_verification=True,
        )
        added = await client.service(keys_pb2_grpc.KeyServiceStub).AddKey(asked)
        self.ids[provider] = added.key.key_id

    async def start(self) -> AsyncClient:
        await asyncio.to_thread(self.stack.sidecar)
        return AsyncClient(self.stack.address, timeout=20)

    async def stop(self) -> None:
        assert await asyncio.to_thread(self.stack.processes[-1].stop) == 0

    def tamper(self, *changes: tuple[str, Mapping[str, Any]]) -> None:
        """Noticed by a sidecar that runs: the generation is counted up, as a writer would."""
        with closing(sqlite3.connect(self.stack.home / "control.db")) as store:
            store.create_function("flipped", 1, lambda sealed: sealed[:-1] + bytes((sealed[-1] ^ 1,)))
            store.execute("PRAGMA foreign_keys = OFF")
            for statement, values in changes:
                changed = store.execute(statement, values).rowcount
                assert changed, statement
            store.execute("UPDATE control_state SET generation = generation + 1")
            store.commit()

    async def look(self, client: AsyncClient) -> Found:
        found = Found()
        listed = await client.service(keys_pb2_grpc.KeyServiceStub).ListKeys(keys_pb2.ListKeysRequest())
        found.states = {key.provider: key.state for key in listed.keys}
        for provider in found.states:
            before = len(self.stage(provider).hits)
            try:
                found.endings[provider] = (await client.chat("hello", provider=provider, model="m")).text
            except TaximeterError as refused:
                found.endings[provider] = refused.reason
                found.told += f"{refused} {refused.metadata}\n"
            found.hits[provider] = len(self.stage(provider).hits) - before
        found.log = self.stack.processes[-1].log.read_text()
        found.sent = set(self.stage("evil").keys)
        return found


async def scene(open_: AsyncExitStack, **env: str) -> tuple[Scene, AsyncClient]:
    """Serving, with a key for each provider in the default workspace, and for one in another."""
    running = open_.enter_context(stack(**{"AI_ENCRYPTION_KEY": key_text(), **env}))
    made = Scene(running, await open_.enter_async_context(house()))
    client = await made.start()
    workspaces = client.service(workspaces_pb2_grpc.WorkspaceServiceStub)
    await workspaces.CreateWorkspace(workspaces_pb2.CreateWorkspaceRequest(workspace_id="rival"))
    tokens = client.service(workspaces_pb2_grpc.TokenServiceStub)
    admin = workspaces_pb2.CreateTokenRequest(workspace_id="rival", name="admin", role=workspaces_pb2.CALLER_ROLE_ADMIN)
    secret = (await tokens.CreateToken(admin)).secret
    for provider in (*TAMPERED, WHOLE):
        await made.add(client, provider)
    running.env["TAXIMETER_ALLOW_PRIVATE_URLS"] = "true"
    async with AsyncClient(running.address, token=secret) as theirs:
        asked = keys_pb2.AddKeyRequest(provider=MOVED, api_key=f"{SECRET}{MOVED}-0123456789", skip_verification=True)
        made.ids[MOVED] = (await theirs.service(keys_pb2_grpc.KeyServiceStub).AddKey(asked)).key.key_id
    return made, client


async def tampered() -> Found:
    """With the sidecar away: it starts on what is there."""
    async with AsyncExitStack() as open_:
        at, client = await scene(open_)
        await client.close()
        await at.stop()
        whole, other, evil = at.ids[WHOLE], at.ids[MOVED], at.stage("evil").base_url
        changes = [
            (statement, {"key": at.ids[provider], "whole": whole, "other": other, "evil": evil})
            for provider, statement in TAMPERED.items()
        ]
        at.tamper(*changes, (f"{SET} workspace = 'default' WHERE key_id = :other", {"other": other}))
        async with await at.start() as again:
            return await at.look(again)


@pytest.fixture(scope="module")
def found() -> Found:
    return asyncio.run(tampered())


IDS = {
    "openai": "a byte changed",
    "groq": "erased",
    "mistral": "readdressed",
    "together": "renumbered",
    "deepseek": "another key's secret",
    "xai": "another workspace's data key",
    "cerebras": "another workspace's secret and data key",
    "moonshot": "under another id",
    "huggingface": "something else altogether",
    MOVED: "moved from another workspace",
}
each = pytest.mark.parametrize("provider", IDS, ids=IDS.values())


@each
def test_a_key_that_was_tampered_with_is_locked(found: Found, provider: str) -> None:
    assert found.states[provider] == keys_pb2.KEY_STATE_LOCKED


@each
def test_it_is_sent_nowhere(found: Found, provider: str) -> None:
    assert found.endings[provider] in ("PROVIDER_NOT_INITIALIZED", "KEY_MISSING", "NO_PROVIDER_AVAILABLE")
    assert found.hits[provider] == 0
    assert found.sent == set()


@each
def test_the_log_says_so_without_it(found: Found, provider: str) -> None:
    said = [line for line in found.log.splitlines() if '"key_locked"' in line and f'"{provider}"' in line]
    assert len(said) == 1
    assert SECRET not in found.log + found.told


def test_a_key_that_nobody_touched_works_on(found: Found) -> None:
    assert found.states[WHOLE] == keys_pb2.KEY_STATE_ACTIVE
    assert (found.endings[WHOLE], found.hits[WHOLE]) == (WORDS, 1)


async def test_a_row_that_is_readdressed_while_it_runs_leads_nowhere() -> None:
    async with AsyncExitStack() as open_:
        at, client = await scene(open_)
        await open_.enter_async_context(client)
        assert (await client.chat("hello", provider="mistral", model="m")).text == WORDS
        at.tamper((TAMPERED["mistral"], {"key": at.ids["mistral"], "evil": at.stage("evil").base_url}))
        await in_force(client, keys_pb2.KEY_STATE_LOCKED)
        seen = await at.look(client)
        assert seen.endings["mistral"] != WORDS
        assert seen.sent == set()
        assert seen.endings[WHOLE] == WORDS


async def in_force(client: AsyncClient, state: int) -> None:
    """Once any key is in this state."""
    keys = client.service(keys_pb2_grpc.KeyServiceStub)
    async with asyncio.timeout(20):
        while state not in {key.state for key in (await keys.ListKeys(keys_pb2.ListKeysRequest())).keys}:
            await asyncio.sleep(0.1)


async def test_another_encryption_key_locks_all_and_its_return_opens_all() -> None:
    """And so does its place among the former ones, from which `rewrap` frees it."""
    old, new = key_text(), key_text()
    async with AsyncExitStack() as open_:
        at, client = await scene(open_, AI_ENCRYPTION_KEY=old)
        await client.close()

        async def restarted(**env: str) -> AsyncClient:
            await at.stop()
            at.stack.env |= env
            return await at.start()

        async with await restarted(AI_ENCRYPTION_KEY=new) as stranger:
            seen = await at.look(stranger)
            assert set(seen.states.values()) == {keys_pb2.KEY_STATE_LOCKED}
            assert WORDS not in seen.endings.values()
            with pytest.raises(TaximeterError, match="AI_ENCRYPTION_KEY_PREVIOUS") as refused:
                await at.add(stranger, WHOLE)
            assert refused.value.reason == "VAULT_LOCKED"
        async with await restarted(AI_ENCRYPTION_KEY_PREVIOUS=old) as both:
            assert set((await at.look(both)).states.values()) == {keys_pb2.KEY_STATE_ACTIVE}
            done = await both.service(keys_pb2_grpc.KeyServiceStub).RewrapKeys(keys_pb2.RewrapKeysRequest())
            assert (done.rewrapped, list(done.locked_key_ids)) == (2, [])
        async with await restarted(AI_ENCRYPTION_KEY_PREVIOUS="") as alone:
            seen = await at.look(alone)
            assert set(seen.endings.values()) == {WORDS}


async def test_without_any_key_calls_go_on_and_keys_are_refused() -> None:
    async with AsyncExitStack() as open_:
        at, client = await scene(open_)
        await client.close()
        await at.stop()
        at.stack.env["AI_ENCRYPTION_KEY"] = "your-encryption-key-here"
        at.stack.env |= {"AI_OWN_URL": at.stage("own").base_url, "AI_OWN_SMART": "m", "AI_OWN_KEY": "sk-own-01234567"}
        async with await at.start() as locked:
            assert (await locked.chat("hello", provider="own", model="m")).text == WORDS
            with pytest.raises(TaximeterError, match="AI_ENCRYPTION_KEY is a placeholder") as refused:
                await at.add(locked, "openai")
            assert refused.value.reason == "VAULT_LOCKED"
            assert not (at.stack.home / "encryption.key").exists(), "a sidecar makes none"

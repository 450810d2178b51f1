"""Keys of workspaces, the key that encrypts them, and prompts: planted in a real sidecar, and searched for in all that
was written, shown or answered. (Keys of the operator's own: tests/e2e/test_privacy.py.)
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from sidecar.edge.bearer import taken_apart
from taximeter import AsyncClient, TaximeterError
from taximeter.v1 import audit_pb2, audit_pb2_grpc, keys_pb2, keys_pb2_grpc, workspaces_pb2, workspaces_pb2_grpc
from tests.support.canaries import answering_with_the_key, around, echoing, files, run
from tests.support.fares import Fares, fares, target
from tests.support.hostile import Hostile, answer, hostile, silence
from tests.support.keys import MODELS
from tests.support.otlp import GrpcReceiver, Received

pytestmark = [pytest.mark.xdist_group("canaries"), pytest.mark.timeout(180)]

PROMPT = "canary-of-the-prompt-8d20"
ANSWER = "canary-of-the-answer-52c9"
KEYS = {
    "kept": "sk-canary-of-a-key-that-is-kept-6b1e",
    "rotated": "sk-canary-of-a-key-that-comes-after-9f07",
    "revoked": "sk-canary-of-a-key-that-is-revoked-13ad",
    "refused": "sk-canary-of-a-key-that-is-refused-c4c8",
    "unasked": "sk-canary-of-a-key-that-is-not-asked-about-77e2",
    "malformed": "sk-canary-of-a-key-with-a-blank 0a5f",
    "piped": "sk-canary-of-a-key-on-standard-input-b8d4",
    "echoed": "sk-canary-of-a-key-that-comes-back-e0a3",
    "returned": "sk-canary-of-a-key-in-an-answer-2f6c",
    "mistaken": "sk-canary-of-a-key-in-the-wrong-field-5a91",
    "encryption": "canary-of-the-encryption-key three blind mice",
    "formerly": "canary-of-the-former-encryption-key four calling birds",
    "of another": "sk-canary-of-a-key-of-another-workspace-d7e8",
    "vault token": "hvs.canary-of-a-token-of-vault-9917",
}
TOKENS = ("token", "first token", "token of another workspace")
"""Made while it runs."""
CANARIES = ("prompt", "answer", *KEYS, *TOKENS)
LABEL = "a-label-that-is-kept-3c55"
"""Where this is found, a canary would have been found."""
PLACES = (
    "journal",
    "ledger",
    "ledger's rows",
    "control store",
    "home",
    "sidecar's log",
    "bookkeeper's log",
    "telemetry",
    "exports",
    "backup",
    "shown",
    "audit",
    "replies",
    "crash",
)
ANSWERING = {"groq": echoing(401), "together": echoing(500), "deepseek": echoing(400), "xai": answering_with_the_key}


@dataclass(frozen=True)
class Left:
    places: Mapping[str, bytes]
    with_the_caller: str
    """Of the calls that had the prompt in them."""
    words: Mapping[str, str]
    """By the names of CANARIES."""


class Play:
    """Everything that is done to keys, and every call with them."""

    def __init__(self, asked: Fares, urls: Mapping[str, str]) -> None:
        self.asked = asked
        self.urls = urls
        self.replies: list[str] = []
        self.tokens: dict[str, str] = {}
        """Secrets, by name."""
        self.keys = asked.client.service(keys_pb2_grpc.KeyServiceStub)

    async def rpc(self, method: str, request: Any) -> Any:
        try:
            reply = await getattr(self.keys, method)(request)
        except TaximeterError as refused:
            self.replies.append(f"{refused!r} {refused} {refused.metadata}")
            return None
        self.replies.append(str(reply))
        return reply

    async def add(self, name: str, provider: str, url: str = "", **more: Any) -> str:
        """The id of the key; empty if it was refused."""
        asked = keys_pb2.AddKeyRequest(
            provider=provider, api_key=KEYS[name], base_url=self.urls[url or provider], label=LABEL, **more
        )
        reply = await self.rpc("AddKey", asked)
        return reply.key.key_id if reply else ""

    async def lives_of_keys(self) -> None:
        kept = await self.add("kept", "openai")
        assert await self.add("kept", "openai") == "", "the same one again"
        assert await self.add("refused", "openai", "groq") == "", "its provider sends it back"
        assert await self.add("refused", "openai", "together") == ""
        assert await self.add("malformed", "openai") == ""
        assert await self.add("unasked", "openai", skip_verification=True)
        revoked = await self.add("revoked", "openai")
        await self.rpc("RevokeKey", keys_pb2.RevokeKeyRequest(key_id=revoked))
        await self.rpc("RotateKey", keys_pb2.RotateKeyRequest(key_id=kept, api_key=KEYS["rotated"]))
        await self.rpc("UpdateKey", keys_pb2.UpdateKeyRequest(key_id=kept, label=f"{LABEL}, changed"))
        await self.rpc("VerifyKey", keys_pb2.VerifyKeyRequest(key_id=kept))
        for field in ("provider", "base_url"):
            wrong = keys_pb2.AddKeyRequest(provider="openai", api_key=KEYS["unasked"])
            setattr(wrong, field, KEYS["mistaken"])
            await self.rpc("AddKey", wrong)
        await self.rpc("VerifyKey", keys_pb2.VerifyKeyRequest(key_id=KEYS["mistaken"]))
        for provider in ANSWERING:
            name = "returned" if provider == "xai" else "echoed"
            key_id = await self.add(name, provider, skip_verification=True)
            await self.rpc("VerifyKey", keys_pb2.VerifyKeyRequest(key_id=key_id))
        await self.rpc("RewrapKeys", keys_pb2.RewrapKeysRequest())
        await self.rpc("ListKeys", keys_pb2.ListKeysRequest(include_revoked=True))

    async def lives_of_tokens(self) -> None:
        """Made, shown once, shown to the sidecar, mistyped, revoked."""
        workspaces = self.asked.client.service(workspaces_pb2_grpc.WorkspaceServiceStub)
        tokens = self.asked.client.service(workspaces_pb2_grpc.TokenServiceStub)
        await workspaces.CreateWorkspace(workspaces_pb2.CreateWorkspaceRequest(workspace_id="acme"))
        first = await tokens.BootstrapToken(workspaces_pb2.BootstrapTokenRequest(name="first"))
        own = await tokens.CreateToken(workspaces_pb2.CreateTokenRequest(name="own"))
        other = await tokens.CreateToken(
            workspaces_pb2.CreateTokenRequest(workspace_id="acme", name="their", role=workspaces_pb2.CALLER_ROLE_ADMIN)
        )
        self.tokens = dict(zip(TOKENS, (own.secret, first.secret, other.secret), strict=True))
        async with AsyncClient(self.asked.stack.address, token=other.secret) as theirs:
            keys = theirs.service(keys_pb2_grpc.KeyServiceStub)
            await keys.AddKey(
                keys_pb2.AddKeyRequest(provider="openai", api_key=KEYS["of another"], skip_verification=True)
            )
            self.replies.append(str(await keys.ListKeys(keys_pb2.ListKeysRequest())))
            await self.fails(theirs.service(workspaces_pb2_grpc.TokenServiceStub).ListTokens, "default")
        for wrong in (f"{own.secret}x", own.secret.upper(), own.secret[:-9]):
            async with AsyncClient(self.asked.stack.address, token=wrong) as stranger:
                await self.fails(stranger.service(workspaces_pb2_grpc.TokenServiceStub).ListTokens, "")
        await tokens.RevokeToken(workspaces_pb2.RevokeTokenRequest(token_id=own.token.token_id))
        for workspace in ("", "acme"):
            self.replies.append(str(await tokens.ListTokens(workspaces_pb2.ListTokensRequest(workspace_id=workspace))))
        exported = workspaces.ExportWorkspace(workspaces_pb2.ExportWorkspaceRequest(workspace_id="acme"))
        self.replies.extend([str(part) async for part in exported])

    async def fails(self, rpc: Any, workspace: str) -> None:
        with pytest.raises(TaximeterError) as refused:
            await rpc(workspaces_pb2.ListTokensRequest(workspace_id=workspace))
        self.replies.append(f"{refused.value!r} {refused.value} {refused.value.metadata}")

    async def calls(self) -> None:
        for provider in ("openai", *ANSWERING):
            for streamed in (False, True):
                name = f"{provider}, streamed" if streamed else provider
                await self.asked.call(name, prompt=PROMPT, streamed=streamed, target=target(provider, "m"))
        self.replies.append(f"{await self.asked.client.providers()}{await self.asked.client.health()}")
        self.replies.append(f"{await self.asked.client.explain(PROMPT, alias='smart')}")


async def played() -> Left:
    async with AsyncExitStack() as open_:
        acts = {"openai": answer(f"so be it {ANSWER}"), **ANSWERING}
        servers = {name: await open_.enter_async_context(hostile(act)) for name, act in acts.items()}
        for name in ("openai", "deepseek"):
            servers[name].probed = MODELS
        silent = await open_.enter_async_context(hostile(silence))
        receiver = open_.enter_context(GrpcReceiver(Received()))
        asked = await open_.enter_async_context(
            fares(
                lambda _: (),
                receiver.received,
                AI_ENCRYPTION_KEY=KEYS["encryption"],
                AI_ENCRYPTION_KEY_PREVIOUS=KEYS["formerly"],
                VAULT_TOKEN=KEYS["vault token"],
                TAXIMETER_KMS="",
                AI_QUIET_URL=silent.base_url,
                AI_QUIET_SMART="m",
                OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
                LOG_LEVEL="debug",
                PYTHONFAULTHANDLER="1",
            )
        )
        play = Play(asked, {name: server.base_url for name, server in servers.items()})
        await play.lives_of_keys()
        await play.lives_of_tokens()
        await play.calls()
        await asked.written()
        audit = await _audit(asked)
        shown = await asyncio.to_thread(_shown, asked)
        backup = await asyncio.to_thread(run, asked.stack, "backup", "copy")
        crash = await _crash(asked, silent)
        assert await asyncio.to_thread(asked.bookkeeper.stop) == 0
        told = [f"{each.text}{each.metering}{each.error}" for each in asked.told.values()]
        places = {
            **_places(asked, receiver.received),
            "backup": backup + files(asked.stack.cwd / "copy"),
            "shown": shown,
            "audit": audit,
            "replies": "\n".join(play.replies).encode(),
            "crash": crash,
        }
        words = {"prompt": PROMPT, "answer": ANSWER, **KEYS}
        secrets = {name: taken_apart(token)[1] for name, token in play.tokens.items()}
        return Left(places, "\n".join(told), words | secrets)


async def _audit(asked: Fares) -> bytes:
    audit = asked.client.service(audit_pb2_grpc.AuditServiceStub)
    pages = await audit.ListAudit(audit_pb2.ListAuditRequest(page_size=1000))
    lines = [part.SerializeToString() async for part in audit.ExportAudit(audit_pb2.ExportAuditRequest())]
    return b"\n".join((str(pages).encode(), *lines))


def _shown(asked: Fares) -> bytes:
    """What the command line shows and exports."""
    commands = [
        ["keys", "list", "--all"],
        ["keys", "list", "--all", "--json"],
        ["keys", "rewrap"],
        ["keys", "rewrap", "--json"],
        ["audit", "list"],
        ["audit", "export"],
        ["providers"],
        ["config", "show"],
        ["config", "show", "--json"],
        ["doctor"],
        ["calls", "--limit", "100", "--json"],
        *(["calls", row["call_id"], "--json"] for row in asked.rows()[:4]),
        *(["export", "--format", form, "-o", f"calls.{form}"] for form in ("csv", "jsonl", "parquet")),
    ]
    said = [run(asked.stack, *each) for each in commands]
    ways: Sequence[list[str]] = ([], ["--json"], ["--no-verify"])
    piped = [run(asked.stack, "keys", "add", "openai", "-", *more, given=f"{KEYS['piped']}\n") for more in ways]
    return b"\n".join((*said, *piped, run(asked.stack, "reload")))


async def _crash(asked: Fares, silent: Hostile) -> bytes:
    """Killed by a signal that leaves a trace of every thread, while a call waits; what the next sidecar says of it."""
    hanging = asyncio.create_task(asked.call("in flight", prompt=PROMPT, target=target("quiet", "m")))
    await asked.until(lambda: silent.hits, "it is under way")
    asked.sidecar.popen.send_signal(signal.SIGABRT)
    await asyncio.to_thread(asked.sidecar.popen.wait)
    await hanging
    dumped = asked.sidecar.log.read_bytes()
    assert b"Fatal Python error: Aborted" in dumped
    again = await asyncio.to_thread(asked.stack.sidecar)
    assert await asyncio.to_thread(again.stop) == 0
    return dumped + files(asked.stack.cwd, "core*")


def _places(asked: Fares, received: Received) -> dict[str, bytes]:
    home, folder = asked.stack.home, asked.stack.folder
    views = (
        *("ai_call_logs", "ai_call_attempts", "ai_call_costs", "ai_open_calls", "ai_target_states"),
        *("ai_budget_states", "ai_budget_alerts"),
    )
    return {
        "journal": files(home / "journal"),
        "ledger": files(home, "ledger.duckdb*"),
        "ledger's rows": "\n".join(str(asked.ask(view)) for view in views).encode(),
        "control store": files(home, "control.db*"),
        "home": files(home),
        "sidecar's log": (folder / "sidecar.log").read_bytes(),
        "bookkeeper's log": (folder / "bookkeeper.log").read_bytes(),
        "telemetry": received.bytes(),
        "exports": files(asked.stack.cwd, "calls.*"),
    }


@pytest.fixture(scope="module")
def left() -> Left:
    return asyncio.run(played())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("canary", CANARIES)
def test_nowhere(left: Left, canary: str, place: str) -> None:
    assert around(left.places, place, left.words[canary].removeprefix("sk-")) == b""


@pytest.mark.parametrize("canary", KEYS)
def test_no_key_is_with_a_caller(left: Left, canary: str) -> None:
    """Also where its provider sends it back."""
    assert KEYS[canary].removeprefix("sk-") not in left.with_the_caller


@pytest.mark.parametrize("canary", ["prompt", "answer"])
def test_what_was_said_is_with_the_caller(left: Left, canary: str) -> None:
    assert left.words[canary] in left.with_the_caller


@pytest.mark.parametrize("place", ["control store", "home", "shown", "audit", "replies"])
def test_what_is_kept_is_found_there(left: Left, place: str) -> None:
    """A search that would not find what is there proves nothing."""
    assert around(left.places, place, LABEL)


@pytest.mark.parametrize("place", PLACES)
def test_there_is_something_there(left: Left, place: str) -> None:
    assert len(left.places[place]) > 200

"""What every user of the control plane goes through, with real processes: key, alias, call; and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from taximeter import Client, errors
from taximeter.v1 import (
    aliases_pb2,
    aliases_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    workspaces_pb2,
    workspaces_pb2_grpc,
)
from tests.support.cli import Done, Shell
from tests.support.stack import Stack, stack, until
from tests.support.vault import key_text
from tests.support.vendor import Vendor, vendor

GOOD, BETTER, OF_GROQ = "sk-proj-good-0123456789", "sk-proj-better-987654321", "gsk-groq-0123456789abcd"


@dataclass(frozen=True, slots=True)
class Town:
    """A sidecar with a bookkeeper between two vendors, and no key of the operator's at all."""

    built: Stack
    openai: Vendor
    groq: Vendor
    client: Client

    @contextmanager
    def tenant(self, name: str) -> Iterator[Town]:
        """The same, as the administrator of a new workspace sees it."""
        made = workspaces_pb2.CreateWorkspaceRequest(workspace_id=name)
        self.client.service(workspaces_pb2_grpc.WorkspaceServiceStub).CreateWorkspace(made)
        wish = workspaces_pb2.CreateTokenRequest(workspace_id=name, name="admin", role=workspaces_pb2.CALLER_ROLE_ADMIN)
        token = self.client.service(workspaces_pb2_grpc.TokenServiceStub).CreateToken(wish).secret
        with Client(self.built.address, token=token) as client:
            yield replace(self, client=client)

    @property
    def keys(self) -> Any:
        return self.client.service(keys_pb2_grpc.KeyServiceStub)

    def add(self, provider: str, secret: str, **asked: Any) -> Any:
        return self.keys.AddKey(keys_pb2.AddKeyRequest(provider=provider, api_key=secret, **asked)).key

    def alias(self, name: str, *providers: str) -> None:
        targets = [aliases_pb2.AliasTarget(provider=each) for each in providers]
        definition = aliases_pb2.AliasDefinition(name=name, targets=targets)
        aliases = self.client.service(aliases_pb2_grpc.AliasServiceStub)
        aliases.CreateAlias(aliases_pb2.CreateAliasRequest(alias=definition))

    def taximeter(self, *argv: str, stdin: str = "") -> Done:
        return Shell(self.built.env, self.built.cwd).run(*argv, stdin=stdin)

    def row(self, call_id: str) -> dict[str, Any]:
        """Of a call, and its attempts, as the ledger has them."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            done = self.taximeter("calls", call_id, "--json")
            found[:] = [done.document] if done.code == 0 else []
            return bool(found)

        until(there, "the ledger has the call")
        return found[0]


@contextmanager
def town(**env: str) -> Iterator[Town]:
    with ExitStack() as held:
        openai, groq = held.enter_context(vendor(GOOD, BETTER)), held.enter_context(vendor(OF_GROQ))
        built = held.enter_context(
            stack(AI_OPENAI_URL=openai.url, AI_GROQ_URL=groq.url, AI_ENCRYPTION_KEY=key_text(), **env)
        )
        built.sidecar()
        built.bookkeeper()
        yield Town(built, openai, groq, held.enter_context(Client(built.address)))


def test_add_a_key_make_an_alias_and_call() -> None:
    """By command line, as a person does it; the row names whose key it was."""
    with town() as at:
        added = at.taximeter("keys", "add", "openai", "--label", "main", "--json", stdin=f"{GOOD}\n")
        assert added.code == 0, added.err
        key = added.document["key"]
        assert (key["masked"], key["state"], added.document["verification"]["ok"]) == (
            "sk-...6789",
            "KEY_STATE_ACTIVE",
            True,
        )
        verified = at.taximeter("keys", "verify", key["keyId"])
        assert (verified.code, verified.err) == (0, "OpenAI takes this key and lists 2 models.\n")
        at.alias("writer", "openai")
        reply = at.client.chat("Hi.", alias="writer")
        assert reply.text == "A cab that counts."
        assert reply.metering.key_owner == "workspace"
        row = at.row(reply.metering.call_id)
        assert (row["call"]["alias"], row["call"]["status"]) == ("writer", "ok")
        assert [(each["key_id"], each["key_owner"]) for each in row["attempts"]] == [(key["keyId"], "workspace")]
        assert at.openai.served == [GOOD]


def test_a_key_that_is_no_good_is_told_and_mended() -> None:
    """At the door, and when it went bad later on."""
    with town() as at:
        with pytest.raises(errors.KeyNotAccepted, match=r"OpenAI rejected this key \(401\)") as refused:
            at.add("openai", "sk-mistyped-0123456789")
        assert "sk-mistyped-0123456789" not in str(refused.value)
        key = at.add("openai", GOOD)
        at.alias("writer", "openai")
        at.client.chat("Hi.", alias="writer")
        at.openai.keys.discard(GOOD)
        with pytest.raises(errors.TaximeterError) as failed:
            at.client.chat("Hi.", alias="writer")
        assert GOOD not in str(failed.value)
        assert failed.value.metering is not None
        assert failed.value.metering.attempts[-1].error_type == "key_rejected"
        (shown,) = at.taximeter("keys", "list", "--json").lines
        assert shown["state"] == "KEY_STATE_REJECTED"
        done = at.taximeter("keys", "rotate", key.key_id, "-", stdin=BETTER)
        assert done.code == 0, done.err
        reply = at.client.chat("Hi.", alias="writer")
        assert (reply.text, at.openai.served[-1]) == ("A cab that counts.", BETTER)
        (attempt,) = at.row(reply.metering.call_id)["attempts"]
        assert attempt["key_id"] == key.key_id


def test_a_provider_that_fails_is_passed_over_and_that_is_recorded() -> None:
    with town() as at:
        at.add("openai", GOOD)
        at.add("groq", OF_GROQ)
        at.alias("writer", "openai", "groq")
        at.openai.down = True
        reply = at.client.chat("Hi.", alias="writer")
        assert (reply.metering.provider, reply.metering.fallback_used) == ("groq", True)
        assert reply.metering.fallback_message.startswith("This provider is unavailable (openai:")
        row = at.row(reply.metering.call_id)
        assert (row["call"]["fallback_used"], row["call"]["fallback_reason"]) == (True, "PROVIDER_ERROR")
        assert [(each["provider"], each["status"]) for each in row["attempts"]][-1] == ("groq", "ok")
        assert at.groq.served == [OF_GROQ]


def test_a_key_whose_budget_is_used_up_gives_way_to_the_next_provider() -> None:
    with town() as at:
        spent = at.add("openai", GOOD, limits=keys_pb2.KeyLimits(monthly_requests=1))
        next_ = at.add("groq", OF_GROQ)
        at.alias("writer", "openai", "groq")
        assert at.client.chat("Hi.", alias="writer").metering.provider == "openai"
        reply = at.client.chat("Hi.", alias="writer")
        assert (reply.metering.provider, reply.metering.fallback_used) == ("groq", True)
        row = at.row(reply.metering.call_id)
        assert row["call"]["fallback_reason"] == "BUDGET"
        assert [each["key_id"] for each in row["attempts"]] == [next_.key_id]
        assert len(at.openai.served) == 1
        at.keys.UpdateKey(keys_pb2.UpdateKeyRequest(key_id=spent.key_id, limits=keys_pb2.KeyLimits()))
        assert at.client.chat("Hi.", alias="writer").metering.provider == "openai", "a lifted limit is in force at once"


def test_a_new_workspace_finds_its_aliases_adds_its_key_and_calls() -> None:
    """It has no key of the operator's, and nobody else has its own."""
    with town(AI_OPENAI_KEY=BETTER) as at, at.tenant("acme") as acme, at.tenant("brew") as brew:
        assert at.client.chat("Hi.", alias="default-writer").metering.key_owner == "platform"
        with pytest.raises(errors.KeyMissing, match="taximeter keys add"):
            acme.client.chat("Hi.", alias="default-writer")
        key = acme.add("openai", GOOD, scopes=keys_pb2.KeyScopes(text=True))
        assert (key.workspace_id, acme.client.chat("Hi.", alias="default-writer").metering.key_owner) == (
            "acme",
            "workspace",
        )
        assert at.openai.served == [BETTER, GOOD]
        with pytest.raises(errors.KeyMissing):
            brew.client.chat("Hi.", alias="default-writer")
        assert not brew.keys.ListKeys(keys_pb2.ListKeysRequest(include_revoked=True)).keys
        with pytest.raises(errors.NotFound):
            brew.keys.RevokeKey(keys_pb2.RevokeKeyRequest(key_id=key.key_id))
        acme.keys.UpdateKey(keys_pb2.UpdateKeyRequest(key_id=key.key_id, scopes=keys_pb2.KeyScopes(image=True)))
        with pytest.raises(errors.PermissionDenied, match=r"This key doesn't allow text\. Enable the 'text' scope"):
            acme.client.chat("Hi.", alias="default-writer")

"""KeyService: keys go in once, are kept sealed, and never come out again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.message import Message

from sidecar.core.call import KeyScope
from sidecar.core.control import BudgetScope, Window
from taximeter.v1 import keys_pb2 as pb
from tests.support import hostile as on
from tests.support.hostile import dead_url
from tests.support.keys import MODELS, OTHER, SECRET, Stage, stage

param = pytest.param
TEXT = pb.KeyScopes(text=True)


async def test_a_key_that_the_provider_takes_is_kept() -> None:
    async with stage() as at:
        answer = await at.add(f"  {SECRET}\n", label="main")
        key, found = answer.key, answer.verification
        assert (key.provider, key.workspace_id, key.label, key.masked) == ("openai", "default", "main", "sk-...wxyz")
        assert (key.enabled, key.state, key.version, key.base_url) == (True, pb.KEY_STATE_ACTIVE, 1, "")
        assert key.scopes == pb.KeyScopes(text=True, image=True, audio=True, video=True)
        assert key.key_id.startswith("key_")
        assert key.key_id == key.key_id.lower()
        assert (key.created_by, key.HasField("verified_at"), key.HasField("limits")) == (
            "tok-default-admin",
            True,
            False,
        )
        assert (found.ok, list(found.models)) == (True, ["gpt-big", "gpt-small"])
        assert found.message == "OpenAI takes this key and lists 2 models."
        assert at.provider.keys == [SECRET], "whitespace around it is no part of it"
        assert await at.listed() == [key]


async def test_calls_of_the_workspace_have_it_at_once() -> None:
    async with stage() as at:
        await at.workspace("acme")
        await at.add(workspace="acme")
        (key,) = at.catalogs.of("acme").accounts["openai"].keys
        assert (key.secret, key.owner) == (SECRET, "workspace")
        assert not at.catalogs.of("default").accounts["openai"].keys


REJECTED = [
    param(
        on.UNAUTHORIZED,
        "FAILED_PRECONDITION",
        "OpenAI rejected this key (401). Check that it was copied whole",
        id="401",
    ),
    param(on.refusal(403, "no"), "FAILED_PRECONDITION", "add it without verification", id="403"),
    param(on.status(500), "UNAVAILABLE", "--no-verify", id="down"),
    param(on.reset, "UNAVAILABLE", "OpenAI could not be reached", id="reset"),
]


@pytest.mark.parametrize(("act", "code", "told"), REJECTED)
async def test_a_key_that_is_not_taken_is_not_kept(act: on.Act, code: str, told: str) -> None:
    async with stage(act) as at:
        failed = await at.refused("AddKey", pb.AddKeyRequest(provider="openai", api_key=SECRET))
        assert (failed.code, failed.reason) == (code, "KEY_NOT_ACCEPTED")
        assert told in failed.message
        assert "Nothing was stored" in failed.message
        assert SECRET not in str(failed)
        assert (await at.listed(), await at.audited(), at.plane.control.data_keys) == ([], [], {})


async def test_a_key_can_be_kept_without_asking() -> None:
    async with stage(on.UNAUTHORIZED) as at:
        answer = await at.add(skip_verification=True)
        assert (answer.verification.ok, answer.verification.message) == (False, "The provider was not asked.")
        assert (answer.key.state, answer.key.HasField("verified_at")) == (pb.KEY_STATE_ACTIVE, False)
        assert not at.provider.hits


async def test_where_the_provider_cannot_tell_the_key_is_kept_and_it_is_said() -> None:
    async with stage(on.status(404)) as at:
        answer = await at.add()
        assert (answer.verification.error_type, answer.key.HasField("verified_at")) == ("not_supported", False)
        assert "the key is not checked" in answer.verification.message


WRONG: list[Any] = [
    param({"provider": ""}, "provider", "is empty", id="no-provider"),
    param({"api_key": " \n"}, "api_key", "is empty", id="no-key"),
    param({"api_key": "sk-one sk-two"}, "api_key", "characters that no key has", id="two-keys"),
    param({"api_key": "sk-\u200b0123"}, "api_key", "characters that no key has", id="zero-width"),
    param({"api_key": "sk-\x000123"}, "api_key", "characters that no key has", id="nul"),
    param({"api_key": "x" * 9000}, "api_key", "longer than 8192", id="too-long"),
    param({"label": "x" * 129}, "label", "at most 128", id="label-too-long"),
    param({"label": "a\x07b"}, "label", "printable", id="label-unprintable"),
    param({"scopes": pb.KeyScopes()}, "scopes", "at least one", id="no-scope"),
    param({"limits": pb.KeyLimits(monthly_budget_usd="-1")}, "limits.monthly_budget_usd", "dollars", id="negative"),
    param({"limits": pb.KeyLimits(monthly_budget_usd="1e9")}, "limits.monthly_budget_usd", "dollars", id="exponent"),
    param({"limits": pb.KeyLimits(monthly_budget_usd="NaN")}, "limits.monthly_budget_usd", "dollars", id="nan"),
    param({"limits": pb.KeyLimits(monthly_budget_usd="9000001")}, "limits.monthly_budget_usd", "9,000,000", id="much"),
    param({"limits": pb.KeyLimits(monthly_tokens=-1)}, "limits.monthly_tokens", "from 0 on", id="tokens"),
    param({"limits": pb.KeyLimits(monthly_requests=-1)}, "limits.monthly_requests", "from 0 on", id="requests"),
    param({"base_url": "https://169.254.169.254"}, "base_url", "link-local", id="metadata"),
    param({"base_url": "http://llm.example.com"}, "base_url", "use https", id="plain-http"),
]


@pytest.mark.parametrize(("asked", "field", "told"), WRONG)
async def test_what_is_wrong_is_told_by_its_field(asked: dict[str, Any], field: str, told: str) -> None:
    async with stage() as at:
        request = pb.AddKeyRequest(**{"provider": "openai", "api_key": SECRET, **asked})
        failed = await at.refused("AddKey", request)
        assert (failed.code, failed.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert [path for path, _ in failed.violations] == [field]
        assert told in failed.message
        assert not at.provider.hits


async def test_all_that_is_wrong_is_told_at_once() -> None:
    async with stage() as at:
        request = pb.AddKeyRequest(provider="", api_key="", scopes=pb.KeyScopes())
        failed = await at.refused("AddKey", request)
        assert [path for path, _ in failed.violations] == ["provider", "api_key", "scopes"]


async def test_an_unknown_provider_is_told_with_what_may_have_been_meant() -> None:
    async with stage() as at:
        failed = await at.refused("AddKey", pb.AddKeyRequest(provider="opanai", api_key=SECRET))
        assert (failed.code, failed.reason) == ("NOT_FOUND", "UNKNOWN_PROVIDER")
        assert "Did you mean openai?" in failed.message


async def test_a_provider_goes_by_its_other_names_too() -> None:
    async with stage() as at:
        assert (await at.add(provider=" Google ", skip_verification=True)).key.provider == "gemini"
        assert [key.provider for key in await at.listed(provider="google")] == ["gemini"]


async def test_a_provider_without_an_address_asks_for_one() -> None:
    async with stage() as at:
        for skip in (False, True):
            request = pb.AddKeyRequest(provider="openai-compatible", api_key=SECRET, skip_verification=skip)
            failed = await at.refused("AddKey", request)
            assert failed.reason == "PROVIDER_NOT_INITIALIZED"
            assert "base URL" in failed.message


async def test_the_default_workspace_may_name_a_server_of_this_machine() -> None:
    async with stage() as at:
        url = f"{at.provider.base_url}/"
        key = (await at.add(provider="openai-compatible", base_url=url)).key
        assert key.base_url == at.provider.base_url
        assert at.provider.keys == [SECRET]
        assert at.catalogs.of("default").accounts["openai-compatible"].base_url == at.provider.base_url


@pytest.mark.parametrize("permitted", [False, True])
async def test_a_tenant_may_not_unless_the_operator_permits_it(permitted: bool) -> None:
    async with stage(allow_private=permitted) as at:
        await at.workspace("acme")
        request = pb.AddKeyRequest(provider="openai-compatible", base_url=at.provider.base_url, api_key=SECRET)
        if permitted:
            assert (await at.keys.AddKey(request, metadata=at.told("acme"))).verification.ok
            return
        failed = await at.refused("AddKey", request, "acme")
        assert failed.reason == "INVALID_REQUEST"
        assert "this machine itself" in failed.message
        assert not at.provider.hits


@pytest.mark.parametrize("named", [False, True], ids=["untold", "by-its-address"])
async def test_a_key_does_not_open_a_server_of_the_operators_that_asks_for_none(named: bool) -> None:
    """Any would: and whether the operator's servers serve a workspace is for the operator to say."""
    async with stage(allow_private=True) as at:
        await at.workspace("acme")
        request = pb.AddKeyRequest(provider="lab", api_key=SECRET, base_url=at.provider.base_url if named else "")
        failed = await at.refused("AddKey", request, "acme")
        assert failed.reason == "INVALID_REQUEST"
        assert "give the base URL of a server of your own" in failed.message
        assert not at.provider.hits
        assert (await at.add(provider="lab")).key.provider == "lab", "the operator may"


async def test_the_providers_own_address_is_no_other_one() -> None:
    """Else the same account would go by two names."""
    async with stage() as at:
        assert (await at.add(base_url=at.provider.base_url)).key.base_url == ""


async def test_the_same_secret_is_kept_once_in_a_workspace() -> None:
    async with stage() as at:
        await at.workspace("acme")
        first = (await at.add(label="main")).key
        failed = await at.refused("AddKey", pb.AddKeyRequest(provider="openai", api_key=SECRET))
        assert (failed.code, failed.reason) == ("ALREADY_EXISTS", "NAME_TAKEN")
        assert f"{first.key_id} (main)" in failed.message
        assert SECRET not in str(failed)
        assert (await at.add(workspace="acme")).key.key_id != first.key_id
        assert (await at.add(provider="gemini", skip_verification=True)).key
        await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=first.key_id))
        assert (await at.add()).key.key_id != first.key_id, "a revoked key is in nobody's way"


async def test_of_many_who_add_the_same_at_once_one_is_first() -> None:
    async with stage() as at:
        done = await asyncio.gather(*(at.add() for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(each, pb.AddKeyResponse) for each in done) == 1
        assert (len(await at.listed()), len(at.plane.control.data_keys)) == (1, 1)


async def test_a_workspace_has_one_data_key_of_its_own() -> None:
    async with stage() as at:
        await at.workspace("acme")
        await at.add()
        await at.add(OTHER)
        await at.add(workspace="acme")
        assert sorted(each.workspace for each in at.plane.control.data_keys.values()) == ["acme", "default"]


async def test_limits_are_a_budget_of_the_calendar_month() -> None:
    async with stage() as at:
        limits = pb.KeyLimits(monthly_budget_usd="99.5", monthly_requests=0)
        key = (await at.add(limits=limits)).key
        assert key.limits == limits, "an explicit 0 is a limit"
        (budget,) = at.plane.control.budgets.values()
        assert (budget.budget_id, budget.scope, budget.subject) == (f"bud_{key.key_id}", BudgetScope.KEY, key.key_id)
        assert (budget.window, budget.time_zone, budget.workspace) == (Window.MONTH, "UTC", "default")
        assert (budget.limit_picodollars, budget.limit_tokens, budget.limit_requests) == (99_500_000_000_000, None, 0)


async def update(at: Stage, key_id: str, **asked: Any) -> pb.ProviderKey:
    answer = await at.keys.UpdateKey(pb.UpdateKeyRequest(key_id=key_id, **asked))
    key: pb.ProviderKey = answer.key
    return key


async def test_an_update_changes_what_it_names() -> None:
    async with stage() as at:
        key = (await at.add(label="main", limits=pb.KeyLimits(monthly_tokens=5))).key
        changed = await update(at, key.key_id, scopes=TEXT, label="")
        assert (changed.scopes, changed.label, changed.limits) == (TEXT, "", key.limits)
        (account_key,) = at.catalogs.of("default").accounts["openai"].keys
        assert account_key.scopes == {KeyScope.TEXT}
        changed = await update(at, key.key_id, limits=pb.KeyLimits(monthly_requests=7))
        assert changed.limits == pb.KeyLimits(monthly_requests=7)
        changed = await update(at, key.key_id, limits=pb.KeyLimits())
        assert (changed.HasField("limits"), at.plane.control.budgets) == (False, {})
        failed = await at.refused("UpdateKey", pb.UpdateKeyRequest(key_id=key.key_id, scopes=pb.KeyScopes()))
        assert failed.reason == "INVALID_REQUEST"


async def test_a_disabled_key_is_used_by_nobody_until_it_is_enabled() -> None:
    async with stage() as at:
        key = (await at.add()).key
        assert (await update(at, key.key_id, enabled=False)).state == pb.KEY_STATE_DISABLED
        assert not at.catalogs.of("default").accounts["openai"].keys
        assert (await update(at, key.key_id, enabled=True)).state == pb.KEY_STATE_ACTIVE
        assert at.catalogs.of("default").accounts["openai"].keys


async def test_a_key_that_calls_were_refused_with_is_taken_back_once_it_is_verified() -> None:
    async with stage(MODELS, on.UNAUTHORIZED, MODELS) as at:
        key = (await at.add()).key
        at.health.reject_key(key.key_id)
        (told,) = await at.listed()
        assert told.state == pb.KEY_STATE_REJECTED
        answer = await at.keys.VerifyKey(pb.VerifyKeyRequest(key_id=key.key_id))
        assert (answer.verification.ok, answer.key.state) == (False, pb.KEY_STATE_REJECTED)
        assert answer.key.verified_at == key.verified_at
        answer = await at.keys.VerifyKey(pb.VerifyKeyRequest(key_id=key.key_id))
        assert (answer.verification.ok, answer.key.state) == (True, pb.KEY_STATE_ACTIVE)
        assert answer.key.verified_at.ToNanoseconds() > key.verified_at.ToNanoseconds()
        assert not at.health.key_aside(key.key_id)
        assert at.provider.keys == [SECRET] * 3


async def test_a_rotated_key_keeps_its_id_and_all_that_hangs_on_it() -> None:
    async with stage() as at:
        key = (await at.add(label="main", scopes=TEXT, limits=pb.KeyLimits(monthly_tokens=5))).key
        at.health.reject_key(key.key_id)
        answer = await at.keys.RotateKey(pb.RotateKeyRequest(key_id=key.key_id, api_key=OTHER))
        assert (answer.key.key_id, answer.key.version, answer.key.masked) == (key.key_id, 2, "sk-...dcba")
        assert (answer.key.label, answer.key.scopes, answer.key.limits) == ("main", TEXT, key.limits)
        assert answer.key.state == pb.KEY_STATE_ACTIVE
        (used,) = at.catalogs.of("default").accounts["openai"].keys
        assert (used.key_id, used.secret) == (key.key_id, OTHER)
        assert at.provider.keys == [SECRET, OTHER]


async def test_a_rotation_to_a_secret_that_is_not_taken_changes_nothing() -> None:
    async with stage(MODELS, on.UNAUTHORIZED) as at:
        key = (await at.add()).key
        failed = await at.refused("RotateKey", pb.RotateKeyRequest(key_id=key.key_id, api_key=OTHER))
        assert failed.reason == "KEY_NOT_ACCEPTED"
        assert await at.listed() == [key]
        failed = await at.refused(
            "RotateKey", pb.RotateKeyRequest(key_id=key.key_id, api_key=SECRET, skip_verification=True)
        )
        assert failed.reason == "NAME_TAKEN", "which is the secret that it has"


async def test_a_revoked_key_is_erased_and_stays_in_the_books() -> None:
    async with stage() as at:
        key = (await at.add(limits=pb.KeyLimits(monthly_tokens=5))).key
        at.health.reject_key(key.key_id)
        answer = await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
        assert (answer.key.state, answer.key.HasField("revoked_at")) == (pb.KEY_STATE_REVOKED, True)
        assert (at.plane.control.keys[key.key_id].sealed, at.plane.control.budgets) == (b"", {})
        assert not at.catalogs.of("default").accounts["openai"].keys
        assert not at.health.key_aside(key.key_id)
        assert await at.listed() == []
        assert await at.listed(include_revoked=True) == [answer.key]
        again = await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
        assert again.key == answer.key


def by_id(key_id: str) -> list[tuple[str, Message]]:
    return [
        ("UpdateKey", pb.UpdateKeyRequest(key_id=key_id, enabled=False)),
        ("VerifyKey", pb.VerifyKeyRequest(key_id=key_id)),
        ("RotateKey", pb.RotateKeyRequest(key_id=key_id, api_key=OTHER, skip_verification=True)),
        ("RevokeKey", pb.RevokeKeyRequest(key_id=key_id)),
    ]


async def test_a_revoked_key_does_not_come_back() -> None:
    async with stage() as at:
        key = (await at.add()).key
        await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
        for method, request in by_id(key.key_id)[:3]:
            failed = await at.refused(method, request)
            assert (failed.code, failed.reason) == ("NOT_FOUND", "UNKNOWN_KEY")
            assert "was revoked" in failed.message


async def test_another_workspaces_key_is_as_unknown_as_one_that_never_was() -> None:
    async with stage() as at:
        await at.workspace("acme")
        theirs = (await at.add()).key
        assert await at.listed("acme", include_revoked=True) == []
        for key_id in (theirs.key_id, "key_nobodys"):
            for method, request in by_id(key_id):
                failed = await at.refused(method, request, "acme")
                assert (failed.code, failed.reason) == ("NOT_FOUND", "UNKNOWN_KEY")
                assert failed.message.replace(key_id, "") == (
                    "This workspace has no key ''. `taximeter keys list` shows those it has."
                )
        assert await at.listed() == [theirs]


async def test_changing_keys_is_for_administrators() -> None:
    async with stage() as at:
        for role in ("viewer", "member", "auditor"):
            failed = await at.refused("AddKey", pb.AddKeyRequest(provider="openai", api_key=SECRET), role=role)
            assert failed.reason == "ROLE_REQUIRED"
        await at.workspace("acme")
        assert (await at.refused("RewrapKeys", pb.RewrapKeysRequest(), "acme")).reason == "ROLE_REQUIRED"


async def test_every_change_is_audited_and_no_secret_with_it() -> None:
    async with stage() as at:
        key = (await at.add(limits=pb.KeyLimits(monthly_tokens=5))).key
        await update(at, key.key_id, scopes=TEXT)
        await at.keys.VerifyKey(pb.VerifyKeyRequest(key_id=key.key_id))
        await at.keys.RotateKey(pb.RotateKeyRequest(key_id=key.key_id, api_key=OTHER))
        await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
        entries = await at.audited()
        assert [each.action for each in entries] == [
            "data_key.create",
            "key.add",
            "budget.create",
            "key.update",
            "key.verify",
            "key.rotate",
            "budget.delete",
            "key.revoke",
        ]
        assert {(each.actor, each.origin, each.workspace) for each in entries} == {
            ("tok-default-admin", "unix", "default")
        }
        assert not any(secret in repr((entries, at.notes.lines)) for secret in (SECRET, OTHER, "sealed"))


async def test_a_provider_that_died_since_is_told_when_a_key_is_verified() -> None:
    async with stage() as at:
        key = (await at.add(provider="openai-compatible", base_url=dead_url(), skip_verification=True)).key
        answer = await at.keys.VerifyKey(pb.VerifyKeyRequest(key_id=key.key_id))
        assert (answer.verification.ok, answer.verification.error_type) == (False, "connect_error")
        assert "could not be reached" in answer.verification.message

"""AliasService: definitions come into force at once, every version is kept, and no workspace sees another's."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict

from sidecar.core.call import Operation, Preference, Strategy
from sidecar.core.control import PlatformKeys
from taximeter.v1 import aliases_pb2 as pb
from tests.support.aliases import WRITER, definition, stage

param = pytest.param
KEY = "sk-0123456789abcdefghij"


async def test_what_is_created_is_what_was_asked_and_is_in_force_at_once() -> None:
    async with stage(ANTHROPIC_API_KEY=KEY) as at:
        made = await at.create()
        assert MessageToDict(made.alias, preserving_proto_field_name=True) == WRITER
        assert (made.version, made.source, made.usable, made.deleted) == (1, "workspace", True, False)
        assert made.created_by == "tok-default-admin"
        assert made.reason == "OPENAI_API_KEY is not set"
        alias = at.catalogs.of("default").aliases["creative-writer"]
        assert [route.target.provider for route in alias.routes] == ["anthropic", "openai"]
        assert [route.weight for route in alias.routes] == [1, 0]
        assert (alias.strategy, alias.preference, alias.operation) == (
            Strategy.FAILOVER, Preference.QUALITY, Operation.CHAT,
        )  # fmt: skip
        assert (alias.max_tokens, alias.limits.requests_per_minute, alias.timeouts.ttft_s) == (1000, 60, 15)
        assert (alias.parameters, alias.fallback_on_budget, alias.allow_aggregators) == (
            {"temperature": 0.7}, True, False,
        )  # fmt: skip


async def test_a_task_changes_its_model_while_it_runs() -> None:
    """`smart` is the configuration's until the workspace gives it a chain of its own."""
    async with stage(OPENAI_API_KEY=KEY, ANTHROPIC_API_KEY=KEY) as at:
        assert (await at.get("smart")).source == "configuration"
        made = await at.update(name="smart", targets=[{"provider": "anthropic", "model": "claude-haiku-5-5"}])
        alias = at.catalogs.of("default").aliases["smart"]
        assert [route.target.model for route in alias.routes] == ["claude-haiku-5-5"]
        assert alias.version == made.version
        deleted = await at.stub.DeleteAlias(pb.DeleteAliasRequest(name="smart"))
        assert deleted.version == made.version + 1
        assert at.catalogs.of("default").aliases["smart"] == at.system.aliases["smart"]


async def test_every_version_is_kept_and_a_new_one_counts_on() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.create()
        await at.update(display_name="Second")
        await at.stub.DeleteAlias(pb.DeleteAliasRequest(name="creative-writer"))
        assert (await at.create(display_name="Fourth")).version == 4
        found = await at.versions("creative-writer")
        told = [(each.version, each.deleted, each.alias.display_name) for each in found]
        assert told == [(4, False, "Fourth"), (3, True, "Second"), (2, False, "Second"), (1, False, "Creative writer")]
        assert (await at.get("creative-writer", 2)).alias.display_name == "Second"
        assert (await at.refused("GetAlias", pb.GetAliasRequest(name="creative-writer", version=9))).code == "NOT_FOUND"


async def test_a_change_of_what_somebody_else_has_changed_is_refused() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.create()
        await at.update(expected=1, display_name="Second")
        refused = await at.refused("UpdateAlias", pb.UpdateAliasRequest(alias=definition(), expected_version=1))
        assert (refused.code, refused.reason) == ("ABORTED", "VERSION_CONFLICT")
        assert (await at.get("creative-writer")).version == 2


async def test_the_audit_tells_of_each_change() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.create()
        await at.update(display_name="Second")
        await at.stub.DeleteAlias(pb.DeleteAliasRequest(name="creative-writer"))
        found = [each for each in await at.audited() if each.action.startswith("alias.")]
        assert sorted(each.action for each in found) == ["alias.create", "alias.delete", "alias.update"]
        assert {each.subject for each in found} == {"creative-writer"}


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason", "words"),
    [
        param("CreateAlias", pb.CreateAliasRequest(alias=definition()), "ALREADY_EXISTS", "NAME_TAKEN",
              "`taximeter aliases update creative-writer`", id="created-twice"),
        param("UpdateAlias", pb.UpdateAliasRequest(alias=definition(name="creative-writr")), "NOT_FOUND",
              "UNKNOWN_ALIAS", "did you mean 'creative-writer'?", id="updated-before-it-is-there"),
        param("DeleteAlias", pb.DeleteAliasRequest(name="nobody"), "NOT_FOUND", "UNKNOWN_ALIAS", "no alias 'nobody'",
              id="deleted-and-not-there"),
        param("DeleteAlias", pb.DeleteAliasRequest(name="smart"), "FAILED_PRECONDITION", "UNKNOWN_ALIAS",
              "is the configuration's", id="deleted-and-the-configurations"),
        param("GetAlias", pb.GetAliasRequest(name="nobody"), "NOT_FOUND", "UNKNOWN_ALIAS", "no alias", id="got"),
        param("ListAliasVersions", pb.ListAliasVersionsRequest(name="nobody"), "NOT_FOUND", "UNKNOWN_ALIAS",
              "no alias", id="versions"),
    ],
)  # fmt: skip
async def test_what_is_not_there_or_there_already(
    method: str, request_: pb.CreateAliasRequest, code: str, reason: str, words: str
) -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.create()
        refused = await at.refused(method, request_)
        assert (refused.code, refused.reason) == (code, reason)
        assert words in str(refused)


async def test_a_list_has_the_configurations_too_and_nobody_elses() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        for name in ("acme", "other"):
            await at.workspace(name)
        await at.create("acme")
        listed = {name: await at.listed(name) for name in ("acme", "other", "default")}
        assert listed["acme"].keys() - listed["other"].keys() == {"creative-writer"}
        assert listed["acme"]["smart"].source == "configuration"
        assert listed["acme"]["default-writer"].source == "default"
        assert listed["default"]["default-writer"].source == "configuration"
        for method, request in {
            "GetAlias": pb.GetAliasRequest(name="creative-writer"),
            "DeleteAlias": pb.DeleteAliasRequest(name="creative-writer"),
            "UpdateAlias": pb.UpdateAliasRequest(alias=definition()),
        }.items():
            assert (await at.refused(method, request, "other")).reason == "UNKNOWN_ALIAS"


async def test_the_configurations_own_come_as_definitions_that_can_be_given_back() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.workspace("acme", PlatformKeys.ALWAYS)
        for version in (await at.listed("acme")).values():
            if not any(target.provider == "" for target in version.alias.targets):
                await at.stub.UpdateAlias(pb.UpdateAliasRequest(alias=version.alias), metadata=(("workspace", "acme"),))


async def test_the_aliases_of_a_new_workspace_say_what_they_lack() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        await at.workspace("acme")
        listed = await at.listed("acme")
        assert [name for name, each in listed.items() if each.source == "default"] == [
            "code-assist", "default-writer", "fast-drafts", "image-hero", "stt-transcribe", "tts-voice", "video-synth",
        ]  # fmt: skip
        assert not listed["default-writer"].usable
        assert "`taximeter keys add anthropic`" in listed["default-writer"].reason
        assert listed["tts-voice"].reason == "elevenlabs is not available in this version"


async def test_a_change_of_one_workspace_leaves_the_others_view_as_it_is() -> None:
    async with stage(OPENAI_API_KEY=KEY) as at:
        for name in ("acme", "other"):
            await at.workspace(name)
        before = {name: at.catalogs.of(name) for name in ("acme", "other", "default")}
        await at.create("acme")
        assert at.catalogs.of("acme") is not before["acme"]
        assert [at.catalogs.of(name) is before[name] for name in ("other", "default")] == [True, True]

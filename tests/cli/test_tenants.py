"""`taximeter workspaces` and `taximeter tokens` as processes, before the real services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from sidecar.commands.tokens import expiry_in
from tests.support.cli import Done, Shell
from tests.support.stack import clean_environment
from tests.support.tenants import Tenants, books, tenants

pytestmark = pytest.mark.xdist_group("cli")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Desk:
    at: Tenants
    shell: Shell

    async def run(self, *argv: str, stdin: str = "") -> Done:
        """Beside the loop, which serves."""
        return await asyncio.to_thread(self.shell.run, *argv, stdin=stdin)

    def shows(self, token: str, address: str = "") -> None:
        """From now on."""
        where = address or self.at.address
        self.shell = replace(self.shell, env={**self.shell.env, "TAXIMETER_TOKEN": token, "TAXIMETER_ADDRESS": where})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with tenants() as at:
        env = clean_environment(TAXIMETER_HOME=str(at.folder / "home"), TAXIMETER_ADDRESS=at.socket)
        yield Desk(at, Shell(env, at.folder))


async def test_from_nothing_to_a_caller_of_a_tenant(desk: Desk) -> None:
    """The walk of docs/workspaces.md."""
    first = await desk.run("tokens", "bootstrap")
    assert first.code == 0, first.err
    desk.shows(first.out.strip())
    who = await desk.run("tokens", "whoami", "--json")
    assert (who.document["workspaceId"], who.document["role"]) == ("default", "CALLER_ROLE_ADMIN")
    made = await desk.run("workspaces", "create", "acme", "--display-name", "Acme, Inc.", "--platform-keys", "fallback")
    assert made.out.splitlines()[0] == "acme is there"
    admin = await desk.run("tokens", "create", "ada", "--role", "admin", "--workspace", "acme", "--expires", "90d")
    desk.shows(admin.out.strip())
    member = await desk.run("tokens", "create", "billing service")
    desk.shows(member.out.strip())
    told = await desk.run("tokens", "whoami")
    token_id = member.out.split("_")[1]
    assert told.out == f"{token_id}: member of workspace acme\n"


async def test_a_secret_stands_alone_on_standard_output(desk: Desk) -> None:
    made = await desk.run("tokens", "create", "ci")
    assert len(made.out.split()) == 1
    assert made.out.startswith("txm_")
    assert "TAXIMETER_TOKEN" in made.err
    assert made.out.strip() not in made.err


async def test_bootstrap_twice_says_what_to_do_instead(desk: Desk) -> None:
    await desk.run("tokens", "bootstrap")
    again = await desk.run("tokens", "bootstrap")
    assert (again.code, again.out) == (1, "")
    assert "taximeter tokens create --role admin" in " ".join(again.err.split())


async def test_tokens_are_listed_and_revoked(desk: Desk) -> None:
    token_id = (await desk.run("tokens", "create", "ci", "--json")).document["token"]["tokenId"]
    listed = await desk.run("tokens", "list", "--wide")
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["token", "name", "role", "state"],
        [token_id, "ci", "member", "good"],
    ]
    assert f"{token_id} (ci) is refused from now on" in (await desk.run("tokens", "revoke", token_id)).out
    assert "no tokens" in (await desk.run("tokens", "list")).out
    everything = await desk.run("tokens", "list", "--all", "--json")
    assert "revokedAt" in everything.document


async def test_a_revoked_token_is_told_so(desk: Desk) -> None:
    made = (await desk.run("tokens", "create", "ci", "--json")).document
    await desk.run("tokens", "revoke", made["token"]["tokenId"])
    desk.shows(made["secret"])
    refused = await desk.run("tokens", "whoami")
    assert refused.code == 1
    assert "was revoked" in refused.err
    assert made["secret"] not in refused.err


async def test_what_may_not_be_done_says_what_is_needed(desk: Desk) -> None:
    desk.shows((await desk.run("tokens", "create", "ci", "--role", "viewer")).out.strip())
    refused = await desk.run("workspaces", "create", "acme")
    assert refused.code == 1
    assert "is for the operator" in refused.err
    assert "(ROLE_REQUIRED)" in refused.err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        pytest.param(["tokens", "create", "x", "--role", "root"], 2, "none of viewer, member, admin", id="role"),
        pytest.param(["tokens", "create", "x", "--expires", "soon"], 2, "neither a time from now", id="expiry"),
        pytest.param(["tokens", "create", "x", "--expires", "2020-01-01"], 1, "in the past", id="past"),
        pytest.param(["tokens", "revoke", "nope"], 1, "UNKNOWN_TOKEN", id="unknown token"),
        pytest.param(["workspaces", "create", "Acme"], 1, "lower-case letters", id="a bad name"),
        pytest.param(["workspaces", "create", "a", "--platform-keys", "some"], 2, "never, fallback, always", id="keys"),
        pytest.param(["workspaces", "archive", "default"], 1, "cannot be archived", id="default"),
        pytest.param(["workspaces", "delete", "acme"], 2, "say --yes", id="nobody to ask"),
        pytest.param(["workspaces", "delete", "acme", "--yes"], 1, "UNKNOWN_WORKSPACE", id="unknown workspace"),
    ],
)
async def test_what_is_wrong_is_said(desk: Desk, argv: list[str], code: int, said: str) -> None:
    done = await desk.run(*argv)
    assert (done.code, done.out) == (code, "")
    assert said in " ".join(done.err.split())


async def test_a_token_that_cannot_be_one_is_not_repeated(desk: Desk) -> None:
    desk.shows("two words")
    refused = await desk.run("tokens", "whoami")
    assert (refused.code, "two words" in refused.err, "TAXIMETER_TOKEN" in refused.err) == (2, False, True)


async def test_the_life_of_a_workspace(desk: Desk) -> None:
    await desk.run("workspaces", "create", "acme")
    changed = await desk.run("workspaces", "update", "acme", "--zero-retention", "--json")
    assert changed.document["workspace"]["zeroRetention"] is True
    assert [line.split()[0] for line in (await desk.run("workspaces", "list")).out.splitlines()[1:]] == [
        "acme",
        "default",
    ]
    assert "callers are refused" in (await desk.run("workspaces", "archive", "acme")).out
    assert "acme" not in (await desk.run("workspaces", "list")).out
    assert "archived" in (await desk.run("workspaces", "list", "--all", "--wide")).out
    assert "in use again" in (await desk.run("workspaces", "restore", "acme")).out


async def test_exported_and_deleted(desk: Desk) -> None:
    await desk.run("workspaces", "create", "acme")
    with books(desk.at):
        file = desk.at.folder / "acme.jsonl"
        done = await desk.run("workspaces", "export", "acme", "--out", str(file))
        assert done.code == 0, done.err
        kinds = [next(iter(json.loads(line))) for line in file.read_text().splitlines()]
        assert (kinds[0], kinds.count("call")) == ("workspace", 10)
        piped = await desk.run("workspaces", "export", "acme")
        assert len(piped.out.splitlines()) == len(kinds) + 1, "the first export is in the audit by now"
        await desk.run("workspaces", "archive", "acme")
        gone = await desk.run("workspaces", "delete", "acme", "--yes")
        assert gone.out == "acme is deleted, with 10 calls and 0 keys\n"
    assert list(desk.at.plane.control.workspaces) == ["default"]


async def test_an_export_that_fails_leaves_no_file(desk: Desk) -> None:
    """Its calls cannot be read: there is no bookkeeper."""
    await desk.run("workspaces", "create", "acme")
    file = desk.at.folder / "acme.jsonl"
    done = await desk.run("workspaces", "export", "acme", "--out", str(file))
    assert done.code == 1
    assert "LEDGER_UNAVAILABLE" in done.err
    assert [path.name for path in desk.at.folder.iterdir() if "acme" in path.name] == []


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("12h", NOW + timedelta(hours=12)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_when_a_token_expires(text: str, until: datetime) -> None:
    assert expiry_in(text, NOW) == until

"""`taximeter keys` as processes, before a real KeyService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from sidecar.commands.keys_shown import COLUMNS
from tests.support import hostile as on
from tests.support.cli import Done, Shell
from tests.support.keys import MODELS, OTHER, SECRET, Stage, stage
from tests.support.stack import clean_environment

pytestmark = pytest.mark.xdist_group("cli")


@dataclass
class Desk:
    at: Stage
    shell: Shell

    async def keys(self, *argv: str, stdin: str = "") -> Done:
        """Beside the loop, which serves."""
        return await asyncio.to_thread(self.shell.run, "keys", *argv, stdin=stdin)

    async def add(self, *argv: str) -> str:
        """Returns the key's id."""
        done = await self.keys("add", "openai", *argv, "--json", stdin=SECRET)
        assert done.code == 0, done.err
        key_id: str = done.document["key"]["keyId"]
        return key_id


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with stage() as at:
        env = clean_environment(TAXIMETER_HOME=str(at.folder / "home"), TAXIMETER_ADDRESS=at.address)
        yield Desk(at, Shell(env, at.folder))


async def test_a_piped_key_is_added_and_it_is_said_what_comes_next(desk: Desk) -> None:
    done = await desk.keys("add", "openai", "--monthly-budget", "$100", "--scopes", "text,image", stdin=f"{SECRET}\n")
    assert (done.code, done.err) == (0, "OpenAI takes this key and lists 2 models.\n")
    (key,) = await desk.at.listed()
    assert done.out.splitlines() == [
        f"{key.key_id} is kept: openai sk-...wxyz, text,image, $100 a month",
        "next: taximeter aliases list; or taximeter invoke 'Hi.' --model openai",
    ]


async def test_a_typed_key_is_not_shown(desk: Desk) -> None:
    # The space comes once the terminal has stopped showing what is typed.
    typing = asyncio.to_thread(desk.shell.typing, "API key: ", f"{SECRET}\n", "keys", "add", "openai")
    code, shown = await typing
    assert (code, "is kept" in shown, SECRET in shown) == (0, True, False)
    assert desk.at.provider.keys == [SECRET]


async def test_a_key_as_an_argument_is_refused(desk: Desk) -> None:
    done = await desk.keys("add", "openai", SECRET)
    assert (done.code, SECRET in done.err, "shell's history" in done.err) == (2, False, True)
    assert not desk.at.provider.hits


async def test_a_key_that_the_provider_rejects_ends_with_its_words(desk: Desk) -> None:
    desk.at.provider.script = [on.UNAUTHORIZED]
    done = await desk.keys("add", "openai", "-", stdin=SECRET)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("OpenAI says: Incorrect API key provided (KEY_NOT_ACCEPTED)\n")
    done = await desk.keys("add", "openai", "--no-verify", stdin=SECRET)
    assert (done.code, done.err) == (0, "The provider was not asked.\n")


WRONG = [
    pytest.param(("--scopes", "text,smell"), "smell: a scope is one of text, image, audio, video", id="scope"),
    pytest.param(("--monthly-tokens", "lots"), "--monthly-tokens lots: a whole number is wanted", id="tokens"),
]


@pytest.mark.parametrize(("argv", "told"), WRONG)
async def test_what_is_typed_wrong_is_told(desk: Desk, argv: tuple[str, ...], told: str) -> None:
    done = await desk.keys("add", "openai", *argv, stdin=SECRET)
    assert (done.code, told in done.err) == (2, True)


async def test_the_list_shows_every_key_masked(desk: Desk) -> None:
    assert (await desk.keys("list")).out == "no keys: `taximeter keys add PROVIDER` adds one\n"
    key_id = await desk.add("--label", "main", "--monthly-requests", "1000")
    done = await desk.keys("list")
    assert done.code == 0, done.err
    head, line = done.out.splitlines()
    assert head.split() == [word for column in COLUMNS for word in column.split()]
    assert line.split()[:5] == [key_id, "openai", "main", "sk-...wxyz", "active"]
    assert "1,000 requests" in line
    (told,) = (await desk.keys("list", "--json")).lines
    assert (told["keyId"], told["state"]) == (key_id, "KEY_STATE_ACTIVE")


async def test_an_update_leaves_the_limits_that_it_does_not_name(desk: Desk) -> None:
    key_id = await desk.add("--monthly-budget", "100", "--monthly-tokens", "5")
    done = await desk.keys("update", key_id, "--monthly-tokens", "none", "--monthly-requests", "7")
    assert done.out == f"{key_id}: active, text,image,audio,video, $100 a month, 7 requests a month\n"
    done = await desk.keys("update", key_id, "--disable", "--scopes", "text", "--label", "spare")
    assert done.out == f"{key_id}: disabled, text, $100 a month, 7 requests a month\n"
    (key,) = await desk.at.listed()
    assert (key.label, key.enabled) == ("spare", False)


async def test_verify_says_what_the_provider_says(desk: Desk) -> None:
    key_id = await desk.add()
    desk.at.provider.script = [on.UNAUTHORIZED, MODELS]
    desk.at.provider.hits.clear()
    done = await desk.keys("verify", key_id)
    assert (done.code, done.out) == (1, f"{key_id}: active\n")
    assert "OpenAI rejected this key (401)" in done.err
    done = await desk.keys("verify", key_id, "--json")
    assert (done.code, done.document["verification"]["ok"]) == (0, True)


async def test_rotate_and_revoke(desk: Desk) -> None:
    key_id = await desk.add()
    done = await desk.keys("rotate", key_id, stdin=OTHER)
    assert done.out == f"{key_id} is sk-...dcba from now on, its secret number 2\n"
    done = await desk.keys("revoke", key_id)
    assert (done.code, "say --yes" in done.err) == (2, True)
    done = await desk.keys("revoke", key_id, "--yes")
    assert done.out == f"{key_id} (sk-...dcba) is revoked; revoke it at openai too\n"
    done = await desk.keys("verify", key_id)
    assert (done.code, "(UNKNOWN_KEY)" in done.err) == (1, True)


async def test_rewrap_says_what_was_done(desk: Desk) -> None:
    await desk.add()
    done = await desk.keys("rewrap")
    assert done.out == f"0 data keys wrapped anew with {desk.at.vault.kek_id}; 1 secret opened\n"

"""`taximeter aliases` as processes, before a real AliasService."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.support.aliases import WRITER, Stage, definition, stage
from tests.support.cli import Done, Shell
from tests.support.stack import clean_environment

param = pytest.param
pytestmark = pytest.mark.xdist_group("cli")
CREATE = (
    "create", "creative-writer", "--target", "anthropic/claude-sonnet-5-5", "--target", "openai/gpt-5.4,weight=0",
    "--strategy", "failover", "--prefer", "quality", "--param", "temperature=0.7",
)  # fmt: skip


@dataclass
class Desk:
    at: Stage
    shell: Shell

    async def aliases(self, *argv: str, stdin: str = "") -> Done:
        """Beside the loop, which serves."""
        return await asyncio.to_thread(self.shell.run, "aliases", *argv, stdin=stdin)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with stage(ANTHROPIC_API_KEY="sk-0123456789abcdefghij") as at:
        env = clean_environment(TAXIMETER_HOME=str(at.folder / "home"), TAXIMETER_ADDRESS=at.address)
        yield Desk(at, Shell(env, at.folder))


async def test_an_alias_is_made_in_one_line(desk: Desk) -> None:
    done = await desk.aliases(*CREATE)
    assert (done.code, done.err) == (0, "OPENAI_API_KEY is not set\n")
    assert done.out == (
        "creative-writer is there, version 1: anthropic/claude-sonnet-5-5 → openai/gpt-5.4 (weight 0)\n"
    )
    alias = desk.at.catalogs.of("default").aliases["creative-writer"]
    assert alias.parameters == {"temperature": 0.7}


async def test_an_update_changes_what_is_said_and_leaves_the_rest(desk: Desk) -> None:
    await desk.at.create()
    done = await desk.aliases(
        "update", "creative-writer", "--max-tokens", "none", "--param", "seed=7", "--param", "temperature=",
        "--strategy", "round-robin", "--stop-on-budget",
    )  # fmt: skip
    assert done.code == 0, done.err
    made = (await desk.at.get("creative-writer")).alias
    assert made == definition(
        strategy="ROUTING_STRATEGY_ROUND_ROBIN", parameters={"seed": 7}, fallback_on_budget=False,
        limits={"requests_per_minute": 60},
    )  # fmt: skip


async def test_a_file_sets_the_whole_and_what_is_shown_can_be_given_back(desk: Desk) -> None:
    short = {**WRITER, "strategy": "weighted", "modality": "text", "routing_preference": "cost"}
    done = await desk.aliases("create", "creative-writer", "--file", "-", stdin=json.dumps(short))
    assert done.code == 0, done.err
    shown = await desk.aliases("show", "creative-writer", "--json")
    done = await desk.aliases("update", "creative-writer", "--file", "-", stdin=shown.out)
    assert done.code == 0, done.err
    first, second = await desk.at.get("creative-writer", 1), await desk.at.get("creative-writer", 2)
    assert first.alias == second.alias == definition(
        strategy="ROUTING_STRATEGY_WEIGHTED", routing_preference="ROUTING_PREFERENCE_COST"
    )  # fmt: skip


async def test_all_of_one_is_shown(desk: Desk) -> None:
    await desk.at.create()
    done = await desk.aliases("show", "creative-writer")
    lines = done.out.splitlines()
    assert lines[0] == "alias          creative-writer (Creative writer)"
    assert lines[1].startswith("version        1 (workspace), made 20")
    assert lines[2:] == [
        "for            text, text generation",
        "chain          anthropic/claude-sonnet-5-5",
        "               openai/gpt-5.4 (weight 0)",
        "strategy       failover, quality first",
        "broken streams error",
        "aggregators    not allowed",
        "key's budget   used up: the next target",
        "limits         requests_per_minute=60, max_tokens=1000",
        "parameters     temperature=0.7",
        "timeouts       ttft=15s",
        "usable         yes",
        "but            OPENAI_API_KEY is not set",
    ]


async def test_the_list_has_all_and_says_where_each_comes_from(desk: Desk) -> None:
    await desk.at.create()
    done = await desk.aliases("list", "--wide")
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert "workspace" in rows["creative-writer"]
    assert "configuration" in rows["smart"]
    assert (await desk.aliases("list", "--own", "--json")).document["alias"]["name"] == "creative-writer"


async def test_versions_and_deletion(desk: Desk) -> None:
    await desk.at.create()
    done = await desk.aliases("delete", "creative-writer")
    assert done.out.startswith("creative-writer is deleted; its versions are kept")
    shown = await desk.aliases("versions", "creative-writer", "--json")
    assert [(each["version"], each.get("deleted", False)) for each in shown.lines] == [("2", True), ("1", False)]
    table = await desk.aliases("versions", "creative-writer", "--wide")
    assert [line.split()[0] for line in table.out.splitlines()] == ["version", "2", "1"]


@pytest.mark.parametrize(
    ("argv", "stdin", "code", "words"),
    [
        param(("create", "x"), "", 1, "alias.targets: at least one is required", id="no-chain"),
        param(("create", "x", "-t", "opnai/x"), "", 1, "did you mean 'openai'?", id="unknown-provider"),
        param(("create", "x", "-t", "openai/x,weigth=1"), "", 2, "neither weight=N nor priority=N", id="a-target"),
        param(("create", "x", "-t", "openai/x", "-p", "temperature"), "", 2, "name=value is wanted", id="a-parameter"),
        param(("create", "x", "-t", "openai/x", "--strategy", "best"), "", 2, "one of failover,", id="strategy"),
        param(("create", "x", "-t", "openai/x", "--max-tokens", "many"), "", 2, "or none for no limit", id="limit"),
        param(("create", "x", "--file", "-"), "{", 2, "standard input cannot be read", id="no-json"),
        param(("create", "x", "--file", "-"), "[]", 2, "a JSON object is wanted", id="a-list"),
        param(("create", "x", "--file", "-"), '{"name": "y"}', 2, "the file is about 'y'", id="another-name"),
        param(("create", "x", "--file", "-"), '{"nme": "x"}', 2, "nme", id="unknown-field"),
        param(("update", "smart"), "", 2, "nothing is said that would change", id="no-change"),
        param(("update", "smrt", "-t", "openai/x"), "", 1, "did you mean 'smart'?", id="unknown-alias"),
    ],
)  # fmt: skip
async def test_mistakes(desk: Desk, argv: tuple[str, ...], stdin: str, code: int, words: str) -> None:
    done = await desk.aliases(*argv, stdin=stdin)
    assert done.code == code, done.err
    assert words in done.err

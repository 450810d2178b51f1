"""docs/migrating.md: every configuration loads and gives what the page says; all Python and commands run for real."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.migrating.page import PAGE, Configuration, configurations, gives, load, snippets
from tests.support.books import booked
from tests.support.cli import Shell
from tests.support.customer import customer
from tests.support.stack import Stack, stack

TEXT = PAGE.read_text()
CONFIGURATIONS = list(configurations(TEXT))
COMMANDS = [line[2:] for block in snippets(TEXT, "console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("given", CONFIGURATIONS, ids=[f"{n}-{each.heading}" for n, each in enumerate(CONFIGURATIONS)])
def test_a_configuration_gives_what_stands_below_it(given: Configuration, tmp_path: Path) -> None:
    assert gives(load(given.files, tmp_path), given.says) == given.says


def test_the_page_has_what_the_four_documents_show() -> None:
    assert len(CONFIGURATIONS) >= 35
    assert len(snippets(TEXT, "python")) >= 11


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with (
        customer() as url,
        stack(
            OPENAI_API_KEY="sk-customer-000000",
            OPENAI_BASE_URL=f"{url}/v1",
            OPENROUTER_API_KEY="sk-or-customer-000000",
            AI_OPENROUTER_URL=f"{url}/v1",
            OLLAMA_URL=url,
        ) as built,
    ):
        built.bookkeeper()
        built.sidecar()
        yield built


@pytest.mark.xdist_group("migrating")
def test_the_python_runs_in_its_order(running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIMETER_ADDRESS", running.address)
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, snippet in enumerate(snippets(TEXT, "python")):
            booked(running)
            exec(compile(snippet, f"migrating.md, snippet {number + 1}", "exec"), names)
    names["client"].close()
    said = printed.getvalue()
    assert "openrouter openai/gpt-5.4 says: What speaks for renewable energy?" in said
    assert "Translate 'Goodbye' to Spanish" in said
    assert "3 True [] 1" in said
    assert "codellama:latest 3800000000" in said
    assert {row["status"] for row in booked(running)} == {"ok"}


@pytest.mark.xdist_group("migrating")
@pytest.mark.parametrize("command", list(dict.fromkeys(COMMANDS)), ids=lambda command: command[:40])
def test_a_command_runs(running: Stack, command: str) -> None:
    done = Shell(running.env, running.cwd).run(*shlex.split(command)[1:])
    assert (done.code, "Traceback" in done.err) == (0, False), done.err + done.out

"""What the documents promise exists: commands, options, links, anchors, variables."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from sidecar.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\b(?:TAXIMETER|AI)_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
MACHINE = re.compile(r"/work/|/root/|/tmp/[a-z]|/home/(?!you\b)\w+")
EXAMPLES = re.compile(r"AI_(?:[A-Z]+[12]?|CUSTOM|LAB)_(?:URL|KEY|SMART|FAST|ENABLED|WEIGHT|API)|AI_GATEWAY_API_KEY")
"""Made of any account's name, which .env.example shows for one; and a stranger's variable."""

OF_TESTS = {"TAXIMETER_RECORDINGS", "TAXIMETER_BENCH_LEDGERS"}
"""Read by the suite and the benchmarks, not by what is installed."""


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)


def commands() -> Iterator[tuple[str, list[str]]]:
    """(document, arguments) of every `$ taximeter ...` in a console block."""
    for document in DOCUMENTS:
        for kind, block in FENCE.findall(document.read_text()):
            if kind != "console":
                continue
            for line in block.splitlines():
                if not line.startswith("$ "):
                    continue
                for words in piped(line[2:]):
                    if words and Path(words[0]).name == "taximeter":
                        yield name(document), words[1:]


def piped(line: str) -> list[list[str]]:
    """The commands of a line, without the variables set before them and without comments."""
    parts: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        if word in ("|", "&&", "&"):
            parts.append([])
        elif parts[-1] or "=" not in word:
            parts[-1].append(word)
    return parts


COMMANDS = list(commands())


def test_the_documents_show_commands() -> None:
    assert {arguments[0] for _, arguments in COMMANDS} >= {"invoke", "calls", "usage", "export", "backup"}


def parse(arguments: list[str]) -> None:
    """As the command line does it, without running anything. Raises what it raises for a usage error."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("taximeter", list(arguments))
    while isinstance(command, TyperGroup):
        words = [*context._protected_args, *context.args]
        if not words and command.invoke_without_command:
            return
        _, command, rest = command.resolve_command(context, words)
        context = command.make_context(command.name, rest, parent=context)


@pytest.mark.parametrize(
    "arguments",
    [arguments for _, arguments in COMMANDS],
    ids=[f"{where}: {' '.join(words)}" for where, words in COMMANDS],
)
def test_a_command_in_a_document_is_taken_as_it_stands(arguments: list[str]) -> None:
    parse(arguments)


@pytest.mark.parametrize("wrong", ["evoke hi", "invoke hi --alas smart", "export --format xls", "config shew"])
def test_a_command_that_does_not_exist_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|not one of|invalid"):
        parse(wrong.split())


def anchor(heading: str) -> str:
    """As the usual renderers make it."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text())
    broken = []
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, part = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (part and part not in map(anchor, HEADING.findall(target.read_text()))):
            broken.append(link)
    assert broken == []


@each_document
def test_variables_exist(document: Path) -> None:
    known = OF_TESTS | set(VARIABLE.findall((ROOT / ".env.example").read_text()))
    named = {each for each in VARIABLE.findall(document.read_text()) if not EXAMPLES.fullmatch(each)}
    assert named - known == set()


@each_document
def test_no_path_of_a_machine_appears(document: Path) -> None:
    assert MACHINE.findall(document.read_text()) == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    group: Any = typer.main.get_command(app)
    shown = {each for each, command in group.commands.items() if not command.hidden} - {"config"}
    assert {each for each in shown if f"`{each}`" not in text} == set()

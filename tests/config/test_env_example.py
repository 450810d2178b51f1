"""`.env.example` and docs/configuration.md name every variable there is, and no other."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from sidecar.settings.built_in import followers
from sidecar.settings.limits import LIMIT_FIELDS
from sidecar.settings.load import OUTSIDE, system_variables
from sidecar.settings.providers import account_field, reserved, task_variables, vendor_variables
from sidecar.settings.rows import account_type, known_rows
from tests.support.config import load
from tests.support.env_example import DOCS, EXAMPLE, ROOT, documented, entries

ENTRIES = entries(EXAMPLE.read_text())
ALL_WIRES = frozenset(row.wire for row in known_rows().values())
ACCOUNT_FIELDS = {
    *("url", "key", "smart", "fast", "enabled", "weight", "api_version", "api", "region", "project", "location"),
    *LIMIT_FIELDS,
}


def test_nothing_is_missing_and_nothing_is_unknown() -> None:
    named_tasks = {variable for task in followers() for variable in task_variables(task).values()}
    """Told of in one line: there are many of them, and they are all alike."""
    reserved_ = reserved() - named_tasks
    known = {*system_variables(), *reserved_, *OUTSIDE, *(name for _, _, name in vendor_variables(known_rows()))}
    accounts = {entry.variable: field for entry in ENTRIES if (field := account_field(entry.variable))}
    assert {entry.variable for entry in ENTRIES} - accounts.keys() == known
    assert {field for _, field in accounts.values()} == ACCOUNT_FIELDS
    assert all(account_type(name, known_rows()) for name, _ in accounts.values())


def test_each_variable_is_there_once_and_explained() -> None:
    assert len({entry.variable for entry in ENTRIES}) == len(ENTRIES)
    assert [entry.variable for entry in ENTRIES if not entry.meaning.endswith(".")] == []
    assert [entry.variable for entry in ENTRIES if not entry.section] == []


def test_as_shipped_it_changes_nothing(tmp_path: Path) -> None:
    loaded = load(tmp_path, dotenv=EXAMPLE.read_text(), rows=None)
    assert loaded.warnings == ()
    assert {origin.place for origin in loaded.origins.values()} == {"built-in"}


def test_its_defaults_are_the_defaults(tmp_path: Path) -> None:
    """With every "#" taken away it is the same configuration, but for an OpenAI account without a key."""
    text = "".join(f"{entry.variable}={entry.default}\n" for entry in ENTRIES)
    plain = load(tmp_path, rows=None)
    loaded = load(tmp_path, dotenv=text, rows=None)
    assert dataclasses.asdict(loaded.settings) == dataclasses.asdict(plain.settings)
    assert (loaded.catalog.retry, loaded.rotation) == (plain.catalog.retry, plain.rotation)


def test_the_page_has_the_same_tables() -> None:
    """If not: python -m tests.support.env_example."""
    assert DOCS.read_text() == documented(DOCS.read_text(), EXAMPLE.read_text())


def test_the_example_of_taximeter_toml_loads(tmp_path: Path) -> None:
    loaded = load(tmp_path, "OPENAI_API_KEY=KEY", toml=(ROOT / "taximeter.toml.example").read_text(), rows=None)
    assert loaded.warnings == ()
    assert {"creative-writer"} <= loaded.catalog.aliases.keys()


def test_the_snippets_of_the_page_load(tmp_path: Path) -> None:
    snippets = dict(re.findall(r"```(toml|json)\n(.*?)```", DOCS.read_text(), re.DOTALL))
    variables = "".join(re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL))
    document = json.loads(snippets["json"])
    assert load(tmp_path, dotenv=variables, toml=snippets["toml"], document=document, rows=None, wires=ALL_WIRES)

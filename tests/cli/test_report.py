"""`taximeter report`: the list, a report in three forms, and how it refuses."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analytics.reports import REPORTS
from sidecar.cli import app
from tests.support.reported import Try, call, ledger_of

STARTED = datetime(2025, 11, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    moved = [Try("groq", "llama", ok=False, ms=250), Try("openai", "gpt")]
    ledger_of(folder / "ledger.duckdb", [call(1, STARTED, moved), call(2, STARTED, [Try("openai", "gpt")])])
    return folder


def run(home: Path, *argv: str) -> Result:
    return CliRunner().invoke(app, ["report", *argv], env={"TAXIMETER_HOME": str(home)})


def test_without_a_name_all_are_listed(home: Path) -> None:
    listed = run(home).output
    assert all(f"\n{name} " in listed for name in REPORTS)


def test_the_list_can_be_read_by_programs(home: Path) -> None:
    document = json.loads(run(home, "--json").output)
    assert {each["name"]: each["by"] for each in document["reports"]}["top"] == "caller"


def test_a_table(home: Path) -> None:
    head, row = run(home, "rescue", "--since", "2025-11").output.splitlines()
    assert head.split()[:3] == ["alias", "calls", "fallbacks"]
    assert row.split()[:3] == ["smart", "2", "1"]


def test_json_has_every_column_exactly(home: Path) -> None:
    document = json.loads(run(home, "top", "--by", "alias", "--since", "2025-11", "--json").output)
    assert (document["report"], document["by"]) == ("top", "alias")
    assert document["rows"][0]["cost_usd"] == "0.004500000000"
    assert document["rows"][0]["change"] is None


def test_csv_has_every_column_too(home: Path) -> None:
    (row,) = csv.DictReader(run(home, "fallbacks", "--since", "2025-11", "--csv").output.splitlines())
    assert (row["from_provider"], row["to_provider"], row["moves"], row["lost_ms"]) == ("groq", "openai", "1", "250.0")


def test_nothing_is_said_to_be_nothing(home: Path) -> None:
    done = run(home, "anomalies", "--since", "2025-11-02")
    assert done.output == "nothing between 2025-11-02 00:00 and 2025-11-03 00:00 UTC\n"
    assert run(home, "budgets").output == "there are no budgets: `taximeter budgets create` makes one\n"


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(["nope"], 2, id="no such report"),
        pytest.param(["errors", "--filter", "alias"], 2, id="not a filter"),
        pytest.param(["errors", "--filter", "colour=red"], 2, id="no such filter"),
        pytest.param(["errors", "--since", "soon"], 2, id="not a period"),
        pytest.param(["errors", "--by", "alias"], 2, id="no choice"),
        pytest.param(["errors", "--filter", "alias=smart"], 0, id="a filter"),
    ],
)
def test_it_refuses_what_it_cannot_answer(home: Path, argv: list[str], code: int) -> None:
    assert run(home, *argv).exit_code == code


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, "errors").exit_code == 3

"""`taximeter calls | usage | export` of calls that were really made."""

import csv
import json
import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.support.cli import TAXIMETER, Shell
from tests.support.stack import until

pytestmark = pytest.mark.xdist_group("cli")
MADE = ("smart", "fast", "fast", "rescued", "nobody")
"""Aliases of the calls that every test here finds: two kinds of answer, a failover, a refusal."""


@pytest.fixture(scope="module")
def ids(shell: Shell) -> list[str]:
    """The ids of those calls, in their order, once they are in the ledger."""
    for alias in MADE:
        shell.run("invoke", "hello", "--alias", alias, "--tag", "team=books")
    until(lambda: len(shell.run("calls", "--json").lines) == len(MADE), "all calls are in the ledger")
    return [row["call_id"] for row in reversed(shell.run("calls", "--json").lines)]


def test_calls_lists_the_newest_first(shell: Shell, ids: list[str]) -> None:
    head, *rows = shell.run("calls").out.splitlines()
    assert head.split()[:5] == ["started", "call", "alias", "provider", "model"]
    assert [row.split()[1] for row in rows] == ids[::-1]


def test_calls_in_json_is_one_call_a_line(shell: Shell, ids: list[str]) -> None:
    rows = shell.run("calls", "--json").lines
    assert [row["alias"] for row in reversed(rows)] == list(MADE)
    assert all(row["started_at"].endswith("+00:00") for row in rows)


FILTERS = [
    pytest.param(["--alias", "fast"], 2, id="alias"),
    pytest.param(["--status", "refused"], 1, id="status"),
    pytest.param(["--provider", "loop"], 4, id="provider"),
    pytest.param(["--limit", "3"], 3, id="limit"),
    pytest.param(["--since", "2020"], 0, id="another period"),
]


@pytest.mark.parametrize(("options", "found"), FILTERS)
def test_calls_can_be_narrowed(shell: Shell, ids: list[str], options: list[str], found: int) -> None:
    assert len(shell.run("calls", "--json", *options).lines) == found


def test_eighty_columns_hold_whole_ids_and_whole_lines(shell: Shell, ids: list[str]) -> None:
    shown = shell.on_terminal(80, "calls")
    assert max(map(len, shown)) <= 80
    assert [line.split()[1] for line in shown[1:6]] == ids[::-1]
    assert shown[-1].startswith("not shown for lack of room: ")


def test_wide_keeps_every_column(shell: Shell, ids: list[str]) -> None:
    head, *rows = shell.on_terminal(80, "calls", "--wide")
    assert head.split()[-1] == "note"
    assert any("unknown_alias" in row for row in rows)


def test_one_call_shows_its_attempts(shell: Shell, ids: list[str]) -> None:
    done = shell.run("calls", ids[3])
    assert done.code == 0
    targets = [line.split()[1] for line in done.out.splitlines() if line[:3].strip().isdigit() and "loop/" in line]
    assert targets == ["loop/dead", "loop/plain"]


def test_one_call_in_json_has_call_attempts_and_costs(shell: Shell, ids: list[str]) -> None:
    told = shell.run("calls", ids[3], "--json").document
    assert told["call"]["call_id"] == ids[3]
    assert told["call"]["tags"] == {"team": "books"}
    assert [each["model"] for each in told["attempts"]] == ["dead", "plain"]


def test_a_refused_call_has_no_attempts_to_show(shell: Shell, ids: list[str]) -> None:
    assert "attempts" not in shell.run("calls", ids[4]).out.split("\n\n")[-1]


def test_usage_adds_up(shell: Shell, ids: list[str]) -> None:
    told = shell.run("usage", "--by", "alias", "--json").document
    assert {row["alias"]: row["calls"] for row in told["rows"]} == {"smart": 1, "fast": 2, "rescued": 1, "nobody": 1}
    assert told["total"]["calls"] == len(MADE)
    assert told["total"]["unpriced_calls"] == 4


def test_usage_shows_a_table_with_a_total_and_its_doubts(shell: Shell, ids: list[str]) -> None:
    done = shell.run("usage", "--by", "tag:team,status")
    assert done.out.splitlines()[0].split()[:3] == ["tag:team", "status", "calls"]
    assert done.out.splitlines()[-1].split()[:2] == ["total", "5"]
    assert "4 calls have no known price" in done.err


def test_usage_fits_eighty_columns(shell: Shell, ids: list[str]) -> None:
    shown = shell.on_terminal(80, "usage", "--by", "day,provider,alias,status")
    assert max(len(line) for line in shown if "calls have no known price" not in line) <= 80


def test_query_answers_in_sql(shell: Shell, ids: list[str]) -> None:
    sql = "SELECT alias, sum(calls) AS calls, any_value(tags) AS tags FROM ai_call_days GROUP BY ALL ORDER BY alias"
    shown = shell.run("query", sql).out.splitlines()
    assert [line.split() for line in shown[:2]] == [["alias", "calls", "tags"], ["fast", "2", '{"team":', '"books"}']]
    assert shell.run("query", "-", "--csv", stdin=sql).out.splitlines()[:2] == [
        "alias,calls,tags", 'fast,2,"{""team"": ""books""}"'
    ]  # fmt: skip
    assert shell.run("query", sql, "--json").lines[0] == {"alias": "fast", "calls": 2, "tags": {"team": "books"}}


HELD_WRONG = [
    pytest.param(["query", "DELETE FROM calls"], 2, "only one SELECT can be asked here", id="not a question"),
    pytest.param(["query", "SELECT nothing FROM ai_call_logs"], 2, "nothing", id="no such column"),
    pytest.param(["usage", "--by", "colour"], 2, "unknown dimension 'colour'", id="dimension"),
    pytest.param(["usage", "--since", "yore"], 2, "yore", id="period"),
    pytest.param(["calls", "01NOSUCHCALL"], 1, "no call 01NOSUCHCALL", id="no such call"),
    pytest.param(["calls", "--limit", "0"], 2, "--limit", id="limit"),
    pytest.param(["export", "--format", "xls"], 2, "--format", id="format"),
    pytest.param(["export", "-o", "/dev/null/x.csv"], 1, "cannot be written", id="nowhere to write"),
    pytest.param(["rebuild"], 2, "stop it first", id="rebuild beside a bookkeeper"),
    pytest.param(["compact"], 2, "stop it first", id="compact beside a bookkeeper"),
    pytest.param(["bookkeeper"], 2, "stop it first", id="a second bookkeeper"),
    pytest.param(["sidecar"], 2, "already runs", id="a second sidecar"),
    pytest.param(["up"], 2, "a sidecar already runs", id="up beside a sidecar"),
]


@pytest.mark.parametrize(("argv", "code", "says"), HELD_WRONG)
def test_what_cannot_be_done_says_so(shell: Shell, ids: list[str], argv: list[str], code: int, says: str) -> None:
    done = shell.run(*argv)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


def test_follow_shows_what_was_and_what_comes_until_ctrl_c(shell: Shell, ids: list[str]) -> None:
    log = shell.cwd / "followed"
    with log.open("wb") as output:
        argv = [*TAXIMETER, "calls", "--follow", "--json", "--alias", "smart"]
        process = subprocess.Popen(argv, env=dict(shell.env), cwd=shell.cwd, stdout=output)
    until(lambda: len(log.read_text().splitlines()) == 1, "the call of before is shown")
    made = shell.run("invoke", "hello", "--alias", "smart", "--json").document["metering"]["callId"]
    until(lambda: len(log.read_text().splitlines()) == 2, "the new call is shown")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert [json.loads(line)["call_id"] for line in log.read_text().splitlines()] == [ids[0], made]


def ids_in(export: Path) -> list[str]:
    match export.suffix:
        case ".csv":
            return [row["call_id"] for row in csv.DictReader(export.read_text().splitlines())]
        case ".parquet":
            return list(pl.read_parquet(export)["call_id"])
        case _:
            return [json.loads(line)["call_id"] for line in export.read_text().splitlines()]


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_an_export_has_every_call_and_a_manifest(shell: Shell, ids: list[str], tmp_path: Path, form: str) -> None:
    file = tmp_path / f"calls.{form}"
    done = shell.run("export", "--format", form, "--output", str(file), "--json")
    assert done.code == 0
    found = ids_in(file)
    assert set(ids) <= set(found)
    assert done.document["rows"] == len(found)
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, f"{file.name}.manifest.json"]


def test_an_export_to_a_dash_goes_to_standard_output(shell: Shell, ids: list[str]) -> None:
    assert ids[0] in shell.run("export", "-o", "-").out


def test_an_export_into_a_folder_names_itself_and_is_narrowed(shell: Shell, ids: list[str], tmp_path: Path) -> None:
    done = shell.run("export", "--filter", "alias=rescued", "-o", f"{tmp_path}/", "--json")
    assert sorted(Path(name).suffix for name in map(str, tmp_path.iterdir())) == [".csv", ".json"]
    assert (done.document["filters"], done.document["content"]) == ({"alias": ["rescued"]}, "calls")


def test_chargeback_adds_up_and_has_what_is_untagged(shell: Shell, ids: list[str]) -> None:
    told = shell.run("chargeback", "--by", "tag:team", "--by", "tag:nobody", "--json").document
    assert told["total"]["calls"] == sum(row["calls"] for row in told["rows"])
    assert {row["tag:nobody"] for row in told["rows"]} == {None}


def test_a_bill_of_somebody_elses_calls_differs(shell: Shell, ids: list[str], tmp_path: Path) -> None:
    bill = tmp_path / "costs.csv"
    bill.write_text("usage_date_utc,model,cost_usd\n2026-11-02,Claude Haiku 4.5,0.08\n")
    done = shell.run("reconcile", "--provider", "anthropic", "--file", str(bill))
    assert (done.code, "missing in ledger" in done.out) == (1, True)
    refused = shell.run("reconcile", "--provider", "openai", "--file", str(bill))
    assert (refused.code, "is of anthropic" in refused.err) == (2, True)


def test_a_schedule_runs_until_it_is_told_to_stop(shell: Shell, ids: list[str], tmp_path: Path) -> None:
    """Nothing is due: no month has ended since the first call."""
    log = tmp_path / "log"
    with log.open("wb") as output:
        argv = [*TAXIMETER, "export", "--schedule", "monthly", "-o", str(tmp_path / "out")]
        process = subprocess.Popen(argv, env=dict(shell.env), cwd=shell.cwd, stderr=output)
    until(lambda: "monthly exports of calls" in log.read_text(), "it has begun")
    process.send_signal(signal.SIGTERM)
    assert (process.wait(10), (tmp_path / "out").exists()) == (0, False)


def test_a_backup_is_taken_while_it_runs(shell: Shell, ids: list[str], tmp_path: Path) -> None:
    told = shell.run("backup", str(tmp_path / "copy"), "--json").document
    assert told["ledger_bytes"] > 0
    assert (tmp_path / "copy" / "ledger.duckdb").is_file()
    assert told["control_bytes"] == (tmp_path / "copy" / "control.db").stat().st_size


@pytest.mark.parametrize(("part", "code"), [("sidecar", 0), ("bookkeeper", 0), ("dashboard", 3), ("cat", 2)])
def test_health_answers_in_its_exit_code(shell: Shell, part: str, code: int) -> None:
    assert shell.run("health", part, TAXIMETER_DASHBOARD_PORT="1").code == code


def test_doctor_finds_all_well(shell: Shell, ids: list[str]) -> None:
    done = shell.run("doctor", "--json", TAXIMETER_DASHBOARD_PORT="1")
    verdicts = {each["what"]: each["verdict"] for each in done.document}
    assert done.code == 0
    assert {verdicts[what] for what in ("home", "disk", "sidecar", "ledger", "bookkeeper", "providers")} == {"ok"}

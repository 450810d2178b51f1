"""The registry of reports, and docs/reports.md: every report is in it, and its examples are what comes out."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from analytics import reports
from analytics.outlook import forecasts
from analytics.period import parse
from analytics.question import BadQuestion
from analytics.report import Report
from analytics.reports import REPORTS, report
from analytics.source import open_source
from sidecar.commands import report as command
from tests.support.reported import NOW, budget, ledger_of, month

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reports.md").read_text()
EXAMPLES = re.findall(r"^```console\n\$ taximeter report (\S+)(.*?)\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    ledger_of(folder / "ledger.duckdb", month(), [budget("november", limit=2, spent=0)])
    return folder


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Commands find the ledger, and budgets are looked at on the day after its month."""
    monkeypatch.setenv("TAXIMETER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reports, "forecasts", partial(forecasts, now=NOW))
    return home


def test_every_report_has_its_example() -> None:
    assert [name for name, _, _ in EXAMPLES] == list(REPORTS)


@pytest.mark.parametrize("each", REPORTS.values(), ids=REPORTS)
def test_every_report_says_in_its_section_what_it_means(each: Report) -> None:
    assert f"\n## {each.name}\n\n{each.means}\n" in PAGE


@pytest.mark.parametrize(("name", "options", "shown"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_examples_are_what_comes_out(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, options: str, shown: str
) -> None:
    asked = dict(zip(words := options.split(), words[1:], strict=False))
    filters = [asked["--filter"]] if "--filter" in asked else []
    by = asked.get("--by", "")
    command.report(name, since=asked["--since"], filters=filters, by=by, as_csv=False, as_json=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    wanted = shown.splitlines()
    if wanted[-1] == "...":
        assert lines[: len(wanted) - 1] == wanted[:-1]
    else:
        assert lines == wanted


@pytest.mark.parametrize("each", REPORTS.values(), ids=REPORTS)
def test_columns_are_there_where_nothing_is(each: Report, here: Path) -> None:
    rows = each.asked(open_source(here), parse("2024-10"))
    assert {column.name for column in each.titled()} | set(each.told) <= set(rows.columns)


def test_a_report_is_asked_by_another_dimension(here: Path) -> None:
    top = report("top")
    assert top.titled("tag:team")[0].title == "tag:team"
    assert "tag:team" in top.asked(open_source(here), parse("2025-10"), by="tag:team").columns


@pytest.mark.parametrize(
    ("name", "filters", "by", "says"),
    [
        pytest.param("meters", {}, "alias", "leave --by out", id="no choice"),
        pytest.param("budgets", {"alias": "smart"}, "", "they are by: workspace", id="budgets have workspaces only"),
        pytest.param("top", {}, "colour", "colour", id="unknown dimension"),
        pytest.param("providers", {"caller": "x"}, "", "caller", id="unknown filter"),
    ],
)
def test_what_cannot_be_asked_is_refused(name: str, filters: dict[str, str], by: str, says: str, here: Path) -> None:
    with pytest.raises(BadQuestion, match=says):
        report(name).asked(open_source(here), parse("2025-10"), filters, by)


def test_budgets_are_narrowed_by_workspace(here: Path) -> None:
    asked = partial(report("budgets").asked, open_source(here), parse("2025-10"))
    assert [asked({"workspace": name}).height for name in ("default", "other")] == [1, 0]

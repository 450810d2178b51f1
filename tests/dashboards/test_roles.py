"""Who sees what: a member's pages hold nothing of another workspace, whatever the URL asks for."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st

from analytics import listing, sums
from analytics.contents import CONTENTS
from analytics.exports import Format
from analytics.filing import Asked
from analytics.period import parse
from dashboards import data
from dashboards.context import EVERYWHERE, Context, Viewer
from sidecar.core.call import CallRecord
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.pages import opened, sent

SECRET = "zebra"
"""In every name that the other workspace has."""
MEMBER = Viewer("mine", "member", "tok_1")


@pytest.fixture(scope="module")
def records() -> list[CallRecord]:
    """Of two workspaces, as many of each."""
    return [
        dataclasses.replace(record, workspace="mine")
        if record.seq % 2
        else dataclasses.replace(
            record,
            workspace=f"{SECRET}-space",
            alias=f"{SECRET}-alias",
            caller=f"{SECRET}-caller",
            tags={f"{SECRET}-key": f"{SECRET}-value"},
            request_id=f"{SECRET}-{record.seq}",
            call_id=f"{SECRET.upper()}{record.seq:020d}",
        )
        for record in week(datetime.now(UTC), calls=120)
    ]


@pytest.fixture(scope="module")
def home(records: list[CallRecord]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", records)
        st.cache_data.clear()
        yield Path(directory)


LOOKS = [
    ("overview", {"by": "By alias", "measure": "Cost"}), ("usage", {"usage_by": "caller"}),
    ("cost", {"cost_by": "caller", "cost_part": "Spenders"}), ("cost", {"cost_part": "Saving"}),
    ("cost", {"cost_part": "Unusual days"}), ("calls", {"search": SECRET}), ("export", {}),
    ("export", {"export_part": "Chargeback"}), ("export", {"export_part": "Closed months"}), ("fallbacks", {}),
    ("errors", {}), ("providers", {}), ("quality", {}), ("keys", {}), ("budgets", {}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "query"), LOOKS, ids=lambda part: str(part).replace(" ", "-"))
def test_a_member_is_sent_nothing_of_another_workspace(home: Path, module: str, query: dict[str, str]) -> None:
    app = opened(module, home, MEMBER, period="Last 30 days", workspace=f"{SECRET}-space", **query)
    assert not app.exception
    given = sent(app)
    assert f"{SECRET}-".encode() not in given
    assert f"{SECRET.upper()}0".encode() not in given


@pytest.mark.parametrize("module", ["overview", "usage", "cost", "calls", "export"])
def test_an_auditor_is_sent_what_all_workspaces_have(home: Path, module: str) -> None:
    app = opened(module, home, Viewer(None, "auditor", "tok_2"), period="Last 30 days")
    assert SECRET.encode() in sent(app)


def test_a_call_of_another_workspace_is_not_there(home: Path, records: list[CallRecord]) -> None:
    theirs, mine = records[0].call_id, records[1].call_id
    assert data.one_call(Context(str(home), who=MEMBER), theirs) is None
    assert data.one_call(Context(str(home), who=MEMBER), mine) is not None


def test_a_members_export_holds_their_calls_only(home: Path, records: list[CallRecord]) -> None:
    context, file = Context(str(home), who=MEMBER), io.BytesIO()
    asked = Asked(CONTENTS["Calls"], parse("30d"), {"workspace": f"{SECRET}-space"}, Format.CSV)
    written, manifest = data.export(context, asked, file, lambda _: None)
    assert written.rows == data.export_rows(context, asked) == sum(each.workspace == "mine" for each in records)
    assert SECRET.encode() not in file.getvalue() + manifest


def test_a_filter_cannot_ask_around_it(home: Path, records: list[CallRecord]) -> None:
    context, span = Context(str(home), who=MEMBER), parse("30d")
    for filters in ({}, {"workspace": f"{SECRET}-space"}, {"workspace": ["mine", f"{SECRET}-space"]}):
        (row,) = data.ask(context, sums.sums, span, filters).to_dicts()
        assert row["calls"] == sum(each.workspace == "mine" for each in records)
        assert set(data.ask(context, listing.newest, span, filters)["workspace"]) == {"mine"}


def test_what_there_is_to_choose_is_their_own(home: Path) -> None:
    there = data.choosable(Context(str(home), who=MEMBER), parse("30d"))
    assert SECRET not in repr(there)
    assert there["workspace"] == ["mine"]


def test_the_ledgers_counts_are_not_told_to_members(home: Path, records: list[CallRecord]) -> None:
    assert data.status(Context(str(home), who=MEMBER)).calls == 0
    assert data.status(Context(str(home))).calls == len(records)


def test_what_is_of_all_workspaces_is_for_those_who_see_them_all(home: Path) -> None:
    from analytics.contents import closed_months

    assert data.ask_of_all(Context(str(home), who=MEMBER), closed_months) is None
    assert data.ask_of_all(Context(str(home)), closed_months) is not None


def test_a_question_without_a_name_is_not_kept(home: Path) -> None:
    with pytest.raises(TypeError, match="this has none"):
        data.ask(Context(str(home)), lambda source, span, filters: 1, parse("30d"))


def test_roles_that_see_everything() -> None:
    assert EVERYWHERE == ("auditor", "operator")

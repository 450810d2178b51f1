"""docs/api.md and docs/errors.md say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sidecar.core.faults import RefusalReason
from taximeter.errors import BY_REASON
from taximeter.v1 import (
    aliases_pb2,
    audit_pb2,
    billing_pb2,
    budgets_pb2,
    catalog_pb2,
    config_pb2,
    invocation_pb2,
    keys_pb2,
    models_pb2,
    prices_pb2,
    usage_pb2,
    workspaces_pb2,
)
from tests.edge.test_errors import CASES

DOCS = Path(__file__).resolve().parents[2] / "docs"
API, ERRORS = (DOCS / "api.md").read_text(), (DOCS / "errors.md").read_text()
FILES = (
    aliases_pb2,
    audit_pb2,
    billing_pb2,
    budgets_pb2,
    catalog_pb2,
    config_pb2,
    invocation_pb2,
    keys_pb2,
    models_pb2,
    prices_pb2,
    usage_pb2,
    workspaces_pb2,
)
TABLE = {
    reason: (status, row, kind)
    for reason, status, row, kind in re.findall(
        r"^\| `([A-Z_]+)` \| ([A-Z_]+) \| ([^|]+) \|.*\| `(\w+)` \|$", ERRORS, re.MULTILINE
    )
}


def test_every_reason_has_its_line() -> None:
    assert set(TABLE) == {reason.value for reason in RefusalReason}


@pytest.mark.parametrize("reason", RefusalReason)
def test_the_exception_is_as_documented(reason: RefusalReason) -> None:
    assert BY_REASON[reason.value].__name__ == TABLE[reason.value][2]


@pytest.mark.parametrize("name", CASES)
def test_status_and_row_are_as_documented(name: str) -> None:
    reason, case = CASES[name]
    status, row, _ = TABLE[reason]
    assert case.code == status
    assert row.startswith("yes") == bool(case.rows)


def test_every_rpc_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+/\w+)` \| `(\w+)` \| (stream of )?`(\w+)` \|$", API, re.MULTILINE)
    served = [
        (f"{service.name}/{method.name}", method.input_type.name,
         "stream of " if method.server_streaming else "", method.output_type.name)
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]  # fmt: skip
    assert sorted(listed) == sorted(served)


@pytest.mark.parametrize(
    ("message", "table"),
    [
        pytest.param(invocation_pb2.CallSpec, "## A call", id="fields-of-a-call"),
        pytest.param(invocation_pb2.InvokeStreamResponse, "## The events of", id="events-of-a-stream"),
    ],
)
def test_every_field_is_listed(message: type, table: str) -> None:
    section = API.split(table)[1].split("\n## ")[0]
    first_column = " ".join(re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", first_column)) == set(message.DESCRIPTOR.fields_by_name)  # type: ignore[attr-defined]


def test_every_setting_that_is_named_exists() -> None:
    known = (DOCS / "configuration.md").read_text()
    named = set(re.findall(r"TAXIMETER_[A-Z_]+", API + ERRORS + (DOCS / "client.md").read_text()))
    assert {name for name in named - {"TAXIMETER_ADDRESS"} if name not in known} == set()

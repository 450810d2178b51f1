"""Rows that the operator or a third party brings: TOML files in the shape of sidecar/data/providers.toml."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sidecar.core.call import Capability, Operation
from sidecar.settings import units
from sidecar.settings.drafts import SLOTS, account_name
from sidecar.settings.rows import Row, Rows, parse_row
from sidecar.settings.sources import Problems
from sidecar.settings.tables import Table, read_file


def _each(read: Callable[[object], Any]) -> Callable[[object], list[str]]:
    return lambda raw: [str(read(name)) for name in units.names(raw)]


def _url(raw: object) -> str:
    return units.url(raw).rstrip("/") if raw else ""


_FIELDS: Mapping[str, Callable[[object], Any]] = {
    "wire": units.string,
    "base_url": _url,
    "base_path": units.string,
    "region_url": units.string,
    "extra": units.string,
    "display": units.string,
    "key_env": lambda raw: list(units.names(raw)),
    "auth": units.string,
    "otel_name": units.string,
    "price_provider": units.string,
    "aggregator": units.boolean,
    "self_hosted": units.boolean,
    "needs_key": units.boolean,
    "api": units.one_of("chat", "responses"),
    "responses_wire": units.string,
    "responses_models": lambda raw: list(units.names(raw)),
    "deployments": units.boolean,
    "operations": _each(units.member(Operation)),
    "capabilities": _each(units.member(Capability)),
}


def read_rows(paths: Iterable[Path], problems: Problems) -> Rows:
    """All rows of the files, later files before earlier ones. What is wrong is told with file and field."""
    rows: dict[str, Row] = {}
    for path in paths:
        for name, table in read_file(path, path.name, problems, required=True).named_tables():
            if (row := _row(name, table)) is not None:
                rows[row.type] = row
    return rows


def _row(name: str, table: Table) -> Row | None:
    table.check((*_FIELDS, "models", "options", "probe"))
    found: dict[str, Any] = {
        key: value for key, read in _FIELDS.items() if (value := table.read(key, read)) is not None
    }
    if not table.raw.get("wire"):
        table.problems.error(table.at("wire"), "is missing: which wire the provider speaks")
        return None
    models = table.table("models")
    models.check(SLOTS)
    found["models"] = {slot: model for slot in SLOTS if (model := models.read(slot, units.string)) is not None}
    found["options"] = dict(table.table("options").raw)
    if probe := table.read("probe", units.string):
        found["probe"] = probe
    return parse_row(account_name(name), found)

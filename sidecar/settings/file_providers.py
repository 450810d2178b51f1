"""What `providers.json` and [providers.<name>] of `taximeter.toml` say of accounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sidecar.settings import units
from sidecar.settings.drafts import SLOTS, Drafts, account_name
from sidecar.settings.limits import LIMITS
from sidecar.settings.nearest import did_you_mean
from sidecar.settings.rows import SPELLINGS, Rows
from sidecar.settings.sources import Sources, Value
from sidecar.settings.tables import Table
from sidecar.settings.timeouts import TIMEOUTS

_PLAIN = (
    "base_url",
    "smart",
    "fast",
    "enabled",
    "weight",
    "capabilities",
    "api_version",
    "api",
    "region",
    "project",
    "location",
    "self_hosted",
)
_TOML_KEYS = (*_PLAIN, "type", "api_key_env", "models", "timeouts", "limits")
_JSON_KEYS = ("name", "type", "api_key_env", "base_url", "default_model", "capabilities", "timeout")
_INLINE_KEYS = ("api_key", "key", "secret", "token")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FIELD = {"base_url": "url", "timeout": "timeouts.response"}
"""Where a field of an account has another name than the file's key."""


@dataclass(frozen=True, slots=True)
class FileProvider:
    """One account as a file describes it. `values` as in Draft; `type` a row, or "" to go by the name."""

    name: str
    type: str = ""
    key_variable: str = ""
    declared: bool = False
    values: Mapping[str, Value] = field(default_factory=dict)


def from_toml(providers: Table, rows: Rows) -> list[FileProvider]:
    """[providers.<name>]; these accounts join the pools."""
    return [_from_toml(name, table, rows) for name, table in providers.named_tables()]


def _from_toml(name: str, table: Table, rows: Rows) -> FileProvider:
    _check_keys(table, _TOML_KEYS)
    values = _values(table, _PLAIN)
    models = table.table("models")
    models.check(SLOTS)
    for slot in SLOTS:
        if (value := models.value(slot)) is not None:
            values.setdefault(slot, value)
    for part, known in {"timeouts": TIMEOUTS, "limits": LIMITS}.items():
        within = table.table(part)
        within.check(known)
        values |= {f"{part}.{key}": value for key in known if (value := within.value(key)) is not None}
    return FileProvider(
        _name(name, table), _type(table, rows), table.read("api_key_env", units.string) or "", True, values
    )


def from_json(document: Table, rows: Rows) -> list[FileProvider]:
    """The list `providers`; these join the pools only if nothing else does."""
    found = []
    for table in document.tables("providers"):
        _check_keys(table, _JSON_KEYS)
        name = table.read("name", units.string) or table.read("type", units.string)
        if name is None:
            table.problems.error(table.at("name"), "is missing")
            continue
        key_variable = table.read("api_key_env", units.string) or ""
        values = _values(table, ("base_url", "default_model", "capabilities", "timeout"))
        found.append(FileProvider(_name(name, table), _type(table, rows), key_variable, False, values))
    return found


def _name(written: str, table: Table) -> str:
    """As aliases, calls and variables can name it."""
    name = account_name(written)
    if not _NAME.fullmatch(name):
        table.problems.error(table.origin, "a provider is named by a-z, 0-9 and '-', at most 64 of them")
    return name


def _check_keys(table: Table, known: Iterable[str]) -> None:
    inline = [key for key in _INLINE_KEYS if key in table.raw]
    for key in inline:
        table.problems.error(table.at(key), "a key does not belong in this file: name its variable as api_key_env")
    table.check((*known, *inline))


def _values(table: Table, keys: Iterable[str]) -> dict[str, Value]:
    return {_FIELD.get(key, key): value for key in keys if (value := table.value(key)) is not None}


def _type(table: Table, rows: Rows) -> str:
    type_ = (table.read("type", units.string) or "").lower()
    type_ = SPELLINGS.get(type_, type_)
    if type_ and type_ not in rows:
        guess = did_you_mean(type_, rows)
        table.problems.error(table.at("type"), f"no provider is of type {units.shown(type_)}{guess}")
        return ""
    return type_


def merge(providers: Iterable[FileProvider], drafts: Drafts, sources: Sources) -> None:
    """Fills what variables left open."""
    for provider in providers:
        draft = drafts.draft(provider.name)
        draft.declared |= provider.declared
        if variable := drafts.key_variables.get(draft.name, ""):
            draft.key_variable = variable
            draft.offer("key", sources.get(variable))
        for name, value in provider.values.items():
            draft.offer(name, value)

"""Entities and their rows: the one place where they meet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Table

from sidecar.control import tables
from sidecar.core.call import KeyScope
from sidecar.core.control import (
    AliasVersion,
    AuditEntry,
    Budget,
    BudgetScope,
    DataKey,
    PlatformKeys,
    PriceOverride,
    ProviderKey,
    Role,
    Token,
    Window,
    Workspace,
)

Entity = Workspace | Token | DataKey | ProviderKey | AliasVersion | Budget | PriceOverride
Removable = Budget | PriceOverride
E = TypeVar("E")
Row = Mapping[Any, Any]
"""Of column names; SQLAlchemy's own rows take columns too."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one field stands in its column; None stays None."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


JSON = Codec(_json, json.loads)
DIGITS = Codec(str, int)
SCOPES = Codec(lambda scopes: _json(sorted(scopes)), lambda text: frozenset(map(KeyScope, json.loads(text))))
RATES = Codec(_json, lambda text: tuple((meter, usd, int(above)) for meter, usd, above in json.loads(text)))


def _words(kind: Callable[[Any], Any]) -> Codec:
    return Codec(str, kind)


@dataclass(frozen=True, slots=True)
class Kind:
    """Where one kind of entity stands. Fields without a codec stand as they are."""

    table: Table
    key: tuple[str, ...]
    held: str
    """The field of `Control` that has them; empty: none."""
    codecs: Mapping[str, Codec] = field(default_factory=dict)


KINDS: Mapping[type[Any], Kind] = {
    Workspace: Kind(tables.workspaces, ("name",), "workspaces", {"platform_keys": _words(PlatformKeys)}),
    Token: Kind(tables.tokens, ("token_id",), "tokens", {"role": _words(Role)}),
    DataKey: Kind(tables.data_keys, ("data_key_id",), "data_keys"),
    ProviderKey: Kind(tables.provider_keys, ("key_id",), "keys", {"scopes": SCOPES}),
    AliasVersion: Kind(tables.model_aliases, ("workspace", "name", "version"), "aliases", {"definition": JSON}),
    Budget: Kind(
        tables.provider_budgets,
        ("budget_id",),
        "budgets",
        {"scope": _words(BudgetScope), "window": _words(Window), "limit_picodollars": DIGITS},
    ),
    PriceOverride: Kind(tables.price_overrides, ("price_id",), "prices", {"rates": RATES}),
    AuditEntry: Kind(tables.audit_log, ("sequence",), "", {"before": JSON, "after": JSON}),
}


def to_row(entity: Any) -> dict[str, Any]:
    codecs = KINDS[type(entity)].codecs
    row = {each.name: getattr(entity, each.name) for each in dataclasses.fields(entity)}
    return row | {name: codec.write(row[name]) for name, codec in codecs.items() if row[name] is not None}


def from_row(kind: type[E], row: Row) -> E:
    """`row` has the columns of the kind's table."""
    codecs = KINDS[kind].codecs
    read = {name: codec.read(row[name]) for name, codec in codecs.items() if row[name] is not None}
    return kind(**{**row, **read})

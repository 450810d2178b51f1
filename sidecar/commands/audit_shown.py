"""How a change of the audit looks on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sidecar.core.money import usd_text

if TYPE_CHECKING:
    from taximeter.v1 import audit_pb2 as pb

LONGEST = 40
"""Characters of one value; a chain is told whole."""
_TOLD_BY_OTHERS = frozenset({"created_ns", "created_by", "workspace", "data_key_id"})
_USUAL = {
    "source": "workspace",
    "enabled": "true",
    "count_at_risk": "true",
    "shrink": "true",
    "soft_percent": "80",
    "time_zone": "UTC",
}
"""What is not worth a word where something is made."""

_ENUMS = ("CAPABILITY_", "MODALITY_", "ROUTING_STRATEGY_", "ROUTING_PREFERENCE_", "STREAM_RECOVERY_")
"""Those of an alias's definition."""


def what_changed(entry: pb.AuditEntry) -> str:
    """ "enabled: true -> false, label: a -> b"; of something new, what is set; of something gone, nothing."""
    from google.protobuf.json_format import MessageToDict

    if not entry.HasField("after"):
        return ""
    before, after = (dict(_told(MessageToDict(side))) for side in (entry.before, entry.after))
    if not entry.HasField("before"):
        return ", ".join(f"{name}: {text}" for name, text in after.items() if _tells(name, text, entry))
    return ", ".join(
        f"{name}: {before.get(name) or '-'} -> {after.get(name) or '-'}"
        for name in {**after, **before}
        if before.get(name, "") != after.get(name, "")
    )


def _told(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each field, in a fixed order: an alias's definition in its parts, its chain first."""
    definition: Mapping[str, Any] = fields.get("definition") or {}
    if definition:
        yield "chain", " → ".join(map(_target, definition.get("targets", ())))
    parts = {name: value for name, value in definition.items() if name not in ("name", "targets")}
    for name, value in sorted({**fields, **parts}.items()):
        if name in _TOLD_BY_OTHERS:
            continue
        if name.endswith("_picodollars"):
            yield name.replace("_picodollars", "_usd"), "" if value is None else usd_text(int(value))
        elif name.endswith("_ns"):
            yield (
                name.removesuffix("_ns"),
                f"{datetime.fromtimestamp(int(value) / 1e9, UTC):%Y-%m-%d %H:%M:%S}" if value else "",
            )
        elif name != "definition":
            yield name, _text(value)


def _target(target: Mapping[str, Any]) -> str:
    return "/".join(filter(None, (target.get("provider"), target.get("model"))))


def _tells(name: str, text: str, entry: pb.AuditEntry) -> bool:
    return name != "version" and text not in ("", "false", entry.subject, _USUAL.get(name))


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            text = next((value.removeprefix(kind).lower() for kind in _ENUMS if value.startswith(kind)), value)
        case float() if value.is_integer():  # a Struct has no integers
            text = str(int(value))
        case [str(), *_]:
            text = ",".join(map(str, value))
        case _:
            text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."

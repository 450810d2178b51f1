"""All that is known of a workspace, as JSON lines of one name each: {"key": {...}}, {"call": {...}}."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

from sidecar.control.query import AuditQuery
from sidecar.core.control import Control
from sidecar.edge.usage import UsageRelay
from sidecar.plane.plane import ControlPlane

_PAGE = 1000


async def export(workspace: str, plane: ControlPlane, relay: UsageRelay) -> AsyncIterator[bytes]:
    """Pieces of whole lines: definitions without secrets, the audit, the calls. Raises Refusal, Relayed."""
    yield b"".join(_lines(plane.control, workspace))
    async for piece in _audit(plane, workspace):
        yield piece
    async for piece in _calls(relay, workspace):
        yield piece


def _lines(control: Control, workspace: str) -> Iterator[bytes]:
    from sidecar.control.audit import told  # brings SQLAlchemy, which is loaded by the time that anybody exports

    yield _line("workspace", told(control.workspaces[workspace]))
    for kind, held in (
        ("token", control.tokens),
        ("key", control.keys),
        ("alias", control.aliases),
        ("budget", control.budgets),
    ):
        for entity in held.values():
            if entity.workspace == workspace:
                yield _line(kind, told(entity))


async def _audit(plane: ControlPlane, workspace: str) -> AsyncIterator[bytes]:
    """The oldest first; not of a deleted workspace that had the same name."""
    after, since_ns = 0, plane.control.workspaces[workspace].created_ns
    while True:
        query = AuditQuery(workspace=workspace, since_ns=since_ns, after_sequence=after, limit=_PAGE)
        entries = await plane.ask(lambda store, query=query: store.audit(query))  # type: ignore[misc]
        if not entries:
            return
        yield b"".join(_line("audit", dataclasses.asdict(entry)) for entry in entries)
        after = entries[-1].sequence


async def _calls(relay: UsageRelay, workspace: str) -> AsyncIterator[bytes]:
    """The bookkeeper's lines, whatever their cut."""
    rest = b""
    async for piece in relay.calls(workspace):
        *whole, rest = (rest + piece).split(b"\n")
        if whole:
            yield b"".join(b'{"call":' + line + b"}\n" for line in whole if line)
    if rest:
        yield b'{"call":' + rest + b"}\n"


def _line(kind: str, told: Any) -> bytes:
    return orjson.dumps({kind: told}, option=orjson.OPT_APPEND_NEWLINE)

"""AuditService: who changed what, in pages for people and in lines for a SIEM."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import Struct

from sidecar.control.query import AuditQuery
from sidecar.core.control import AuditEntry, Role
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import metering
from sidecar.edge.access import workspace_of
from sidecar.edge.moments import ns_of
from sidecar.edge.roles import ACCESS
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import audit_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.store import ControlStore

SERVICE = pb.DESCRIPTOR.services_by_name["AuditService"].full_name
PAGE, LARGEST_PAGE = 100, 1000
LINES = 500
"""In one message of an export."""
_EXACT = 2**53
"""Up to this a double, which is what a Struct has for numbers, holds every integer."""


class AuditService:
    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def handlers(self, border: Border) -> Handlers:
        async def listed(body: bytes, rpc: Rpc) -> bytes:
            return (await self._list(border.parse(pb.ListAuditRequest, body), rpc)).SerializeToString()

        async def export(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
            await self._export(border.parse(pb.ExportAuditRequest, body), rpc, write)

        return {
            "ListAudit": border.unary(f"{SERVICE}/ListAudit", listed),
            "ExportAudit": border.parts(f"{SERVICE}/ExportAudit", export),
        }

    async def _list(self, asked: pb.ListAuditRequest, rpc: Rpc) -> pb.ListAuditResponse:
        """Raises Refusal (INVALID_REQUEST, WORKSPACE_MISMATCH, CONTROL_UNAVAILABLE)."""
        size = _size(asked.page_size)
        workspace = _workspace(rpc, asked.workspace_id)
        start_ns = ns_of(asked.period.start, "period.start") if asked.period.HasField("start") else 0
        query = AuditQuery(
            workspace=workspace,
            since_ns=max(start_ns, self._since_ns(rpc)),
            until_ns=ns_of(asked.period.end, "period.end") if asked.period.HasField("end") else None,
            action=asked.action,
            actor=asked.actor,
            subject=asked.subject,
            before_sequence=_page(asked.page_token),
            limit=size,
        )
        found = await self._plane.ask(lambda store: store.audit(query))
        more = str(found[-1].sequence) if len(found) == size else ""
        return pb.ListAuditResponse(entries=map(message, found), next_page_token=more)

    async def _export(self, asked: pb.ExportAuditRequest, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Ends when all has been told; with `follow`, when the caller hangs up."""
        query = AuditQuery(
            workspace=_workspace(rpc, asked.workspace_id),
            since_ns=self._since_ns(rpc),
            after_sequence=asked.after_sequence,
            limit=LINES,
        )
        while True:
            known = self._plane.audit_sequence
            found = await self._plane.ask(partial(_asked, query))
            if found:
                query = replace(query, after_sequence=found[-1].sequence)
                await write(pb.ExportAuditResponse(data=b"".join(map(line, found))).SerializeToString())
            elif not asked.follow:
                return
            else:
                await self._plane.audited(max(known, query.after_sequence or 0))

    def _since_ns(self, rpc: Rpc) -> int:
        """A workspace that was deleted may have had the same name: its past is not for the people of this one."""
        if ACCESS[rpc.method].reaches_all(rpc.identity):
            return 0
        workspace = self._plane.control.workspaces.get(rpc.identity.workspace)
        return workspace.created_ns if workspace else 0


def _asked(query: AuditQuery, store: ControlStore) -> tuple[AuditEntry, ...]:
    return store.audit(query)


def message(entry: AuditEntry) -> pb.AuditEntry:
    return pb.AuditEntry(
        sequence=entry.sequence,
        at=metering.timestamp(entry.at_ns),
        workspace_id=entry.workspace,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        before=_struct(entry.before),
        after=_struct(entry.after),
        origin=entry.origin,
    )


def line(entry: AuditEntry) -> bytes:
    """One line of JSON, ended: the fields of `pb.AuditEntry`; what is not there is null."""
    fields = {
        "sequence": entry.sequence,
        "at": metering.timestamp(entry.at_ns).ToJsonString(),
        "workspace_id": entry.workspace,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
        "origin": entry.origin,
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _struct(fields: Mapping[str, object] | None) -> Struct | None:
    if fields is None:
        return None
    struct = Struct()
    struct.update(_doubles(fields))
    return struct


def _doubles(value: Any) -> Any:
    """Integers that no double holds exactly as text, which is how protobuf's JSON has them."""
    match value:
        case bool():
            return value
        case int() if abs(value) > _EXACT:
            return str(value)
        case Mapping():
            return {name: _doubles(each) for name, each in value.items()}
        case list():
            return [_doubles(each) for each in value]
    return value


def _workspace(rpc: Rpc, asked: str) -> str | None:
    """Whose entries; None: everybody's. Raises Refusal (WORKSPACE_MISMATCH)."""
    if not asked and (rpc.identity.operator or rpc.identity.role is Role.AUDITOR):
        return None
    return workspace_of(rpc, asked)


def _size(asked: int) -> int:
    if asked < 0:
        raise _invalid("page_size", "is less than nothing")
    return min(asked, LARGEST_PAGE) or PAGE


def _page(token: str) -> int | None:
    """The sequence that the last page ended with."""
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise _invalid("page_token", "is not one that a page came with")
    return int(token) if token else None


def _invalid(field: str, what: str) -> Refusal:
    return Refusal(
        "INVALID_ARGUMENT",
        RefusalReason.INVALID_REQUEST,
        f"The {field} {what}.",
        field_violations=((field, what),),
    )

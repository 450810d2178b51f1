"""`taximeter audit`: the audit in a table, and as JSON lines for a SIEM."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.audit_shown import what_changed
from sidecar.commands.calling import client
from sidecar.commands.context import out, print_json
from sidecar.commands.reading import period
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter.v1 import audit_pb2 as pb
    from taximeter.v1.audit_pb2_grpc import AuditServiceStub

PAGE = 1000
COLUMNS = ("#", "when", "workspace", "actor", "from", "action", "subject", "what changed")
WHOLE = ("when", "actor", "action", "subject")


@dataclass(frozen=True, slots=True)
class Question:
    since: str
    action: str
    actor: str
    subject: str
    workspace: str
    limit: int


def list_(question: Question, *, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    span = period(question.since)
    with _audit(address) as audit:
        found = list(_found(audit, question, span.start, span.end))
    if as_json:
        for entry in found:
            print_json(MessageToDict(entry))
    elif found:
        show_table(COLUMNS, map(row, found), right=("#",), whole=WHOLE, spare=("from", "#", "workspace"), wide=wide)
    else:
        out.print(f"nothing was changed between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
    return Exit.OK


def export(*, after: int, follow: bool, workspace: str, address: str) -> int:
    """Returns an exit code; each line is out as soon as it is there."""
    from taximeter.v1 import audit_pb2 as pb

    with _audit(address) as audit:
        asked = pb.ExportAuditRequest(after_sequence=after, follow=follow, workspace_id=workspace)
        for part in audit.ExportAudit(asked):
            sys.stdout.buffer.write(part.data)
            sys.stdout.buffer.flush()
    return Exit.OK


def row(entry: pb.AuditEntry) -> tuple[object, ...]:
    """Its cells, in the order of COLUMNS."""
    at = entry.at.ToDatetime()
    where = (entry.workspace_id, entry.actor, entry.origin, entry.action, entry.subject)
    return (entry.sequence, f"{at:%Y-%m-%d %H:%M:%S}", *where, what_changed(entry))


def _found(audit: AuditServiceStub, question: Question, start: Any, end: Any) -> Iterator[pb.AuditEntry]:
    """At most `limit` of them, page by page."""
    from taximeter.v1 import audit_pb2 as pb

    asked = pb.ListAuditRequest(
        action=question.action, actor=question.actor, subject=question.subject, workspace_id=question.workspace
    )
    asked.period.start.FromDatetime(start)
    asked.period.end.FromDatetime(end)
    left = question.limit
    while left > 0:
        asked.page_size = min(left, PAGE)
        answer = audit.ListAudit(asked)
        yield from answer.entries
        left -= len(answer.entries)
        asked.page_token = answer.next_page_token
        if not asked.page_token:
            return


@contextmanager
def _audit(address: str) -> Iterator[AuditServiceStub]:
    from taximeter.v1.audit_pb2_grpc import AuditServiceStub

    with client(address) as connected:
        yield connected.service(AuditServiceStub)

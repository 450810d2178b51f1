"""LedgerService: raw SQL, state, a copy of the ledger and what budgets come to, for the owner of the socket."""
# ruff: noqa: N802 - the methods are named by the service

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from sidecar.bookkeeper.answering import CHUNK_BYTES, Asking, Context, cut, told
from sidecar.bookkeeper.batch import START
from sidecar.bookkeeper.budget_spent import SCOPES, Question, budget_spent
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger_revisions import Rerating, ratable, revise
from sidecar.bookkeeper.retention import STEP_CALLS
from sidecar.core.faults import Refusal, RefusalReason
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc

_COUNTS = """SELECT (SELECT count(*) FROM calls) AS calls, (SELECT count(*) FROM open_calls) AS open_calls,
(SELECT coalesce(sum(corrupt_frames), 0)::BIGINT FROM ledger_positions) AS corrupt_frames,
(SELECT if("until" = DATE '1970-01-01', '', "until"::VARCHAR) FROM rolled) AS rolled_until"""

_MOST = 2**63 - 1
MOST_RATABLE = 1000
"""Attempts in a page, and in a transaction: readers and ingest hardly notice."""


class LedgerService(ledger_pb2_grpc.LedgerServiceServicer):
    def __init__(
        self,
        asking: Asking,
        progress: Callable[[], Progress],
        telemetry_backlog: Callable[[], int],
        behind: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`telemetry_backlog`: bytes of journal that it has yet to send. `behind`: sidecars that are not booked
        whole."""
        self._asking = asking
        self._progress = progress
        self._telemetry_backlog = telemetry_backlog
        self._behind = behind

    def Query(self, request: ledger_pb2.QueryRequest, context: Context) -> Iterator[ledger_pb2.QueryResponse]:
        with told(context):
            parameters = _parameters(request.parameters_json)
            batches = self._asking.batches(request.sql, parameters, context, any_size=request.any_size)
            for part in ipc_stream(batches):
                yield ledger_pb2.QueryResponse(arrow_ipc=part)

    def GetStatus(self, request: ledger_pb2.GetStatusRequest, context: Context) -> ledger_pb2.GetStatusResponse:  # noqa: ARG002 - gRPC's signature
        with told(context):
            (counts,) = self._asking.rows(_COUNTS, (), context)
            progress = self._progress()
            return ledger_pb2.GetStatusResponse(
                schema_version=self._asking.ledger.version,
                **counts,
                backlog_bytes=progress.backlog_bytes,
                lag_s=progress.lag_s,
                last_ingest_ns=progress.last_ingest_ns,
                telemetry_backlog_bytes=self._telemetry_backlog(),
            )
        raise AssertionError("told aborts")

    def Backup(self, request: ledger_pb2.BackupRequest, context: Context) -> Iterator[ledger_pb2.BackupResponse]:  # noqa: ARG002 - gRPC's signature
        ledger = self._asking.ledger
        with told(context), tempfile.TemporaryDirectory(prefix=".backup-", dir=ledger.path.parent) as folder:
            copy = Path(folder) / ledger.path.name
            try:
                ledger.copy_to(copy)
            except OSError as error:
                raise Refusal("RESOURCE_EXHAUSTED", RefusalReason.INTERNAL, str(error)) from error
            with copy.open("rb") as file:
                while data := file.read(CHUNK_BYTES):
                    yield ledger_pb2.BackupResponse(data=data)

    def BudgetSpent(self, request: ledger_pb2.BudgetSpentRequest, context: Context) -> ledger_pb2.BudgetSpentResponse:
        with told(context):
            others = set(self._behind()) - request.at_least.keys()
            spent = budget_spent(self._asking.ledger, _question(request))
            reached = all(
                spent.positions.get(sidecar_id, START) >= (at.segment, at.offset)
                for sidecar_id, at in request.at_least.items()
            )
            return ledger_pb2.BudgetSpentResponse(
                picodollars=min(spent.picodollars, _MOST),
                tokens=min(spent.tokens, _MOST),
                requests=spent.requests,
                positions={
                    sidecar_id: ledger_pb2.Position(segment=segment, offset=offset)
                    for sidecar_id, (segment, offset) in spent.positions.items()
                },
                caught_up=reached and not others,
            )
        raise AssertionError("told aborts")

    def EraseWorkspace(
        self, request: ledger_pb2.EraseWorkspaceRequest, context: Context
    ) -> ledger_pb2.EraseWorkspaceResponse:
        """Goes on by itself, bit by bit, if the one who asked hangs up."""
        with told(context):
            if not request.workspace or request.before_ns <= 0:
                raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, "workspace and before_ns are required")
            ledger = self._asking.ledger
            ledger.erase_workspace(request.workspace, request.before_ns // 1000)
            calls = 0
            while context.is_active() and (done := ledger.erase_calls(STEP_CALLS)):
                calls += done
            return ledger_pb2.EraseWorkspaceResponse(deleted_calls=calls)
        raise AssertionError("told aborts")

    def ListRatable(self, request: ledger_pb2.ListRatableRequest, context: Context) -> ledger_pb2.ListRatableResponse:
        with told(context):
            limit = min(request.limit or MOST_RATABLE, MOST_RATABLE)
            return ledger_pb2.ListRatableResponse(attempts=ratable(self._asking.ledger, request, limit))
        raise AssertionError("told aborts")

    def ReviseCosts(self, request: ledger_pb2.ReviseCostsRequest, context: Context) -> ledger_pb2.ReviseCostsResponse:
        with told(context):
            if not request.rerating_id or not request.reason or len(request.costs) > MOST_RATABLE:
                said = f"rerating_id and reason are required, and costs are at most {MOST_RATABLE}"
                raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, said)
            why = Rerating(request.rerating_id, request.reason, request.actor, request.at_ns)
            return ledger_pb2.ReviseCostsResponse(revised=revise(self._asking.ledger, why, request.costs))
        raise AssertionError("told aborts")


def _question(request: ledger_pb2.BudgetSpentRequest) -> Question:
    if request.scope not in SCOPES:
        raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, f"scope is one of {', '.join(sorted(SCOPES))}")
    return Question(
        workspace=request.workspace,
        scope=request.scope,
        subject=request.subject,
        start_ns=request.start_ns,
        end_ns=request.end_ns,
        count_at_risk=request.count_at_risk,
    )


def ipc_stream(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Batches, of which the first tells the schema, as one Arrow IPC stream in chunks."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, next(batches).schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield from _drained(sink)
    yield from _drained(sink)


def _drained(sink: io.BytesIO) -> Iterator[bytes]:
    written = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return cut(written)


def _parameters(text: str) -> tuple[Any, ...]:
    try:
        values = json.loads(text or "[]")
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, "parameters_json is not a JSON array")
    return tuple(values)

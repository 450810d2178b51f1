"""Answers from the bookkeeper, over its socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, cast

import grpc
import pyarrow as pa

from analytics.answering import LedgerBusy, QuestionFailed, QuestionRefused, Status, check_version
from analytics.question import Parameter
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_START_S = 5.0
"""How long a bookkeeper that holds its lock may take to be ready."""
_TABLE_S = 120.0
"""An answer that is to be held whole; the bookkeeper's own limit is shorter."""
_GONE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
_CHANNEL = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take, not a pause
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
)


class BookkeeperSource:
    """Asks the bookkeeper over its socket. Waits for it to be ready at first, and again after it was found gone."""

    def __init__(self, socket: Path) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(grpc.insecure_channel(f"unix:{socket}", options=_CHANNEL))
        self._ready = False

    def table(self, sql: str, params: Sequence[Parameter] = ()) -> pa.Table:
        with self._answering():
            return self._read(sql, params, timeout_s=_TABLE_S).read_all()

    def batches(self, sql: str, params: Sequence[Parameter] = ()) -> Iterator[pa.RecordBatch]:
        with self._answering():
            yield from self._read(sql, params, any_size=True)

    def status(self) -> Status:
        with self._answering():
            return self._status()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """gRPC's errors as ours. Before: that there is a bookkeeper, and its ledger of a version we know."""
        try:
            if not self._ready:
                check_version(self._status().schema_version)
                self._ready = True
            yield
        except grpc.RpcError as error:
            call = cast("grpc.Call", error)
            if call.code() not in _GONE:
                refused = call.code() is grpc.StatusCode.INVALID_ARGUMENT
                failed = QuestionRefused if refused else QuestionFailed
                raise failed(f"the ledger cannot answer this: {call.details()}") from None
            self._ready = False
            raise LedgerBusy(
                f"the bookkeeper does not answer ({call.details()}). If this lasts, see its log; `taximeter doctor` "
                "says where."
            ) from None

    def _status(self) -> Status:
        answer = self._stub.GetStatus(ledger_pb2.GetStatusRequest(), wait_for_ready=True, timeout=_START_S)
        return Status(
            live=True,
            schema_version=answer.schema_version,
            calls=answer.calls,
            open_calls=answer.open_calls,
            backlog_bytes=answer.backlog_bytes,
            lag_s=answer.lag_s,
            last_ingest_ns=answer.last_ingest_ns,
            telemetry_backlog_bytes=answer.telemetry_backlog_bytes,
            corrupt_frames=answer.corrupt_frames,
            rolled_until=date.fromisoformat(answer.rolled_until) if answer.rolled_until else None,
        )

    def _read(
        self, sql: str, params: Sequence[Parameter], *, timeout_s: float | None = None, any_size: bool = False
    ) -> pa.RecordBatchReader:
        request = ledger_pb2.QueryRequest(sql=sql, parameters_json=json.dumps(list(params)), any_size=any_size)
        parts = self._stub.Query(request, timeout=timeout_s)
        return pa.ipc.open_stream(io.BufferedReader(_Parts(parts)))


class _Parts(io.RawIOBase):
    """An answer's chunks, read as one file: no more than one is held."""

    def __init__(self, parts: Iterator[ledger_pb2.QueryResponse]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part.arrow_ipc)
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

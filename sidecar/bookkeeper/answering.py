"""What both services have in common: errors as a gRPC status with its details, queries that end with the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import grpc
import pyarrow as pa
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no stubs
from grpc_status import rpc_status

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerFault
from sidecar.bookkeeper.ledger_reads import QueryCancelled, QueryLimits, QueryRefused, QueryTooLarge, Stop, select
from sidecar.core.faults import Refusal, RefusalReason

Context = grpc.ServicerContext
CHUNK_BYTES = 1 << 20
"""Below the 4 MiB that a gRPC client takes by default."""
MOST_SAID = 2000
"""Bytes of an error's message."""

ANY_SIZE = QueryLimits(timeout_s=120.0, any_size=True)
"""For files. An answer leaves as fast as it is taken, so its length costs time and no memory; but a caller who falls
asleep over it keeps a transaction open, and with it the ledger's write-ahead log from being folded in."""


class Asking:
    """Runs SQL for an RPC, and no longer than for the RPC."""

    def __init__(self, ledger: Ledger, limits: QueryLimits) -> None:
        self.ledger = ledger
        self._limits = limits

    def batches(
        self, sql: str, parameters: tuple[Any, ...], context: Context, *, any_size: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """An empty batch first, for its schema."""
        stop = Stop(hang_up=context.cancel)
        if not context.add_callback(stop.cancel):
            raise QueryCancelled
        return select(self.ledger, sql, parameters, ANY_SIZE if any_size else self._limits, stop)

    def rows(self, sql: str, parameters: tuple[Any, ...], context: Context) -> list[dict[str, Any]]:
        return [row for batch in self.batches(sql, parameters, context) for row in batch.to_pylist()]


def cut(data: bytes) -> Iterator[bytes]:
    """In chunks that a message has room for."""
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))


@contextmanager
def told(context: Context) -> Iterator[None]:
    """Every error that a caller can meet, as a status (https://google.aip.dev/193)."""
    try:
        yield
    except Refusal as refusal:
        _abort(context, refusal)
    except QueryRefused as error:
        _abort(context, Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, str(error)))
    except QueryTooLarge as error:
        _abort(context, Refusal("RESOURCE_EXHAUSTED", RefusalReason.OVERLOADED, str(error)))
    except QueryCancelled:
        _abort(context, Refusal("CANCELLED", RefusalReason.CANCELLED, "nobody waits for the answer any more"))
    except LedgerFault as error:
        said = f"the ledger cannot answer now: {error}. The bookkeeper goes on trying; its log says more."
        _abort(context, Refusal("UNAVAILABLE", RefusalReason.LEDGER_UNAVAILABLE, said))


def _clipped(text: str) -> str:
    """What a trailer has room for, as gRPC sends it: percent-encoded."""
    text = text[:MOST_SAID]
    while (size := len(quote(text))) > MOST_SAID:
        text = text[: len(text) * MOST_SAID // size]
    return text


def _abort(context: Context, refusal: Refusal) -> None:
    code, _ = grpc.StatusCode[refusal.grpc_status].value
    packed = Packed()
    packed.Pack(
        error_details_pb2.ErrorInfo(reason=refusal.reason.value, domain="taximeter", metadata=dict(refusal.metadata))
    )
    status = status_pb2.Status(code=code, message=_clipped(refusal.message), details=[packed])
    context.abort_with_status(rpc_status.to_status(status))

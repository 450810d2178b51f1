"""The bookkeeper's socket: its services, for this machine's user only.

grpc's synchronous server: every answer is a blocking DuckDB call and would need a thread under asyncio as well.
"""

from __future__ import annotations

import os
from concurrent import futures
from pathlib import Path

import grpc

from taximeter.ledger.v1 import ledger_pb2_grpc
from taximeter.v1 import billing_pb2_grpc, usage_pb2_grpc

_THREADS = 64
"""Questions at one time; DuckDB's own threads are shared by all of them."""
_LONGEST_PATH = 100
"""Bytes of a unix socket's path: the system's limit is 103 to 107 (unix(7))."""


def start(
    socket: Path,
    ledger: ledger_pb2_grpc.LedgerServiceServicer,
    usage: usage_pb2_grpc.UsageServiceServicer,
    billing: billing_pb2_grpc.BillingServiceServicer | None = None,
) -> grpc.Server:
    """Serving when it returns. The caller holds the bookkeeper's lock, so a socket that is there is a dead one's."""
    if len(os.fsencode(socket)) > _LONGEST_PATH:
        raise OSError(f"the path of the socket is too long for the system: {socket}; choose a shorter TAXIMETER_HOME")
    socket.unlink(missing_ok=True)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="ask"), options=[("grpc.so_reuseport", 0)]
    )
    ledger_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, server)
    usage_pb2_grpc.add_UsageServiceServicer_to_server(usage, server)
    if billing is not None:
        billing_pb2_grpc.add_BillingServiceServicer_to_server(billing, server)
    mask = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{socket}")
    finally:
        os.umask(mask)
    server.start()
    return server

"""A sidecar that has other things to do takes a moment to greet who connects: that is no sidecar that is not there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest

from taximeter import Client
from taximeter.v1 import budgets_pb2 as pb
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub

LATE_S = 0.4


class Whatever(grpc.GenericRpcHandler):
    """Answers everything with an empty message."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


@pytest.fixture
def late() -> Iterator[str]:
    """The address of one that greets late: what it is sent and says is passed on, but not at once."""
    with TemporaryDirectory(prefix="tx") as folder:
        server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Whatever()])
        behind, before = Path(folder) / "behind", Path(folder) / "before"
        server.add_insecure_port(f"unix:{behind}")
        server.start()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(before))
            listening.listen()
            threading.Thread(target=_greet, args=(listening, behind), daemon=True).start()
            yield f"unix:{before}"
        server.stop(0)


def _greet(listening: socket.socket, behind: Path) -> None:
    while True:
        try:
            caller, _ = listening.accept()
        except OSError:
            return
        threading.Event().wait(LATE_S)
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(behind))
        for one, other in ((caller, server), (server, caller)):
            threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    try:
        while said := one.recv(65536):
            other.sendall(said)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_late_greeting_is_waited_for(late: str) -> None:
    with Client(late) as client:
        assert client.service(BudgetServiceStub).ListBudgets(pb.ListBudgetsRequest()) == pb.ListBudgetsResponse()

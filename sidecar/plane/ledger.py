"""Asks the bookkeeper what budgets have spent."""

from __future__ import annotations

from pathlib import Path

import grpc

from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.ledger.v1 import ledger_pb2_grpc

_TIMEOUT_S = 5.0
_OPTIONS = (
    # A bookkeeper that comes back is found within a tenth of a second: asking a dead socket costs next to nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.enable_retries", 0),
)


class LedgerAway(Exception):
    """The bookkeeper does not answer, or cannot."""


class LedgerClient:
    """Opens its channel at the first question."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None

    async def budget_spent(self, asked: pb.BudgetSpentRequest) -> pb.BudgetSpentResponse:
        """Raises LedgerAway."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self._socket}", options=_OPTIONS)
        try:
            answer: pb.BudgetSpentResponse = await ledger_pb2_grpc.LedgerServiceStub(self._channel).BudgetSpent(
                asked, timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise LedgerAway(error.code().name) from None
        return answer

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

"""Asks the bookkeeper what budgets have spent, and which attempts can be priced anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.ledger.v1 import ledger_pb2_grpc

_TIMEOUT_S = 5.0
_PAGE_TIMEOUT_S = 60.0
"""Of what reads or writes many rows."""
_OPTIONS = (
    # A bookkeeper that comes back is found within a tenth of a second: asking a dead socket costs next to nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take, not a pause
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
        answer: pb.BudgetSpentResponse = await self._ask(self._books.BudgetSpent, asked, _TIMEOUT_S)
        return answer

    async def list_ratable(self, asked: pb.ListRatableRequest) -> pb.ListRatableResponse:
        """Raises LedgerAway."""
        answer: pb.ListRatableResponse = await self._ask(self._books.ListRatable, asked, _PAGE_TIMEOUT_S)
        return answer

    async def revise_costs(self, asked: pb.ReviseCostsRequest) -> pb.ReviseCostsResponse:
        """Raises LedgerAway: then all of it was done, or nothing."""
        answer: pb.ReviseCostsResponse = await self._ask(self._books.ReviseCosts, asked, _PAGE_TIMEOUT_S)
        return answer

    @property
    def _books(self) -> Any:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self._socket}", options=_OPTIONS)
        return ledger_pb2_grpc.LedgerServiceStub(self._channel)

    @staticmethod
    async def _ask(method: Any, asked: Any, timeout_s: float) -> Any:
        try:
            return await method(asked, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise LedgerAway(error.code().name) from None

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

"""WatchBudgets: how all stand at first, then those that have changed; at most one message a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping

from sidecar.budget import Status
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.budgets_messages import status_message
from taximeter.v1 import budgets_pb2 as pb

TICK_S = 1.0
Statuses = Callable[[str], Mapping[str, Status]]
"""Of a workspace, by budget id."""


class BudgetWatch:
    """All that changes budgets is journaled, or a change of the control plane: while both stand still, nobody looks."""

    def __init__(
        self,
        statuses: Statuses,
        place: Callable[[], Hashable],
        now_ns: Callable[[], int],
        tick_s: float = TICK_S,
    ) -> None:
        """`place`: where the journal ends, and which control plane is in force."""
        self._statuses = statuses
        self._place = place
        self._now_ns = now_ns
        self._tick_s = tick_s
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Whoever watches is told that this is the end."""
        self._closed.set()

    async def watch(self, workspace: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Until the caller hangs up. Raises Refusal when the sidecar shuts down."""
        seen = self._statuses(workspace)
        await write(self._told(seen.values(), ()))
        place = self._place()
        while not await self._closing():
            if place == (place := self._place()):
                continue
            before, seen = seen, self._statuses(workspace)
            news = [status for budget_id, status in seen.items() if before.get(budget_id) != status]
            gone = before.keys() - seen.keys()
            if news or gone:
                await write(self._told(news, sorted(gone)))
        raise Refusal(
            "UNAVAILABLE",
            RefusalReason.SHUTTING_DOWN,
            "The sidecar is shutting down; watch again when it is back.",
            retry_after_s=1.0,
        )

    async def _closing(self) -> bool:
        """A tick later."""
        try:
            async with asyncio.timeout(self._tick_s):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    def _told(self, statuses: Iterable[Status], deleted: Iterable[str]) -> bytes:
        now_ns = self._now_ns()
        told = [status_message(status, now_ns) for status in statuses]
        return pb.WatchBudgetsResponse(statuses=told, deleted=deleted).SerializeToString()

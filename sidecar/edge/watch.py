"""WatchHealth: the whole at first, then what has changed. However many watch, one task looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping

from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.health import HealthView, Subject
from taximeter.v1 import catalog_pb2 as pb

LOOK_S = 1.0
"""What only time changes (an open circuit that may be tried again) is seen within this."""
GATHER_S = 0.05
"""What changes within this of each other is told together."""
RETRY_S = 1.0


class _Watcher:
    """What one caller has not been told yet: at most every subject once, however slowly it reads."""

    def __init__(self) -> None:
        self.news: set[Subject] = set()
        self.told = asyncio.Event()


class HealthWatch:
    """`changed` may be called as often as anything changes: it only sets a flag."""

    def __init__(self, view: HealthView) -> None:
        self._view = view
        self._watchers: set[_Watcher] = set()
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._marks: Mapping[Subject, Hashable] = {}
        self._closed = False

    @property
    def looked_at(self) -> bool:
        """Whether anybody watches."""
        return self._looking is not None

    def changed(self) -> None:
        self._changed.set()

    async def watch(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Until the caller hangs up. Raises Refusal when the sidecar shuts down."""
        watcher = self._joined()
        try:
            whole = self._view.whole()
            first = pb.WatchHealthResponse(targets=whole.targets, accounts=whole.accounts)
            await write(first.SerializeToString())
            while not self._closed:
                await watcher.told.wait()
                watcher.told.clear()
                news, watcher.news = watcher.news, set()
                if news:
                    await write(self._view.of(news).SerializeToString())
            raise _closing()
        finally:
            self._left(watcher)

    def close(self) -> None:
        """Whoever watches is told that this is the end."""
        self._closed = True
        for watcher in self._watchers:
            watcher.told.set()

    def _joined(self) -> _Watcher:
        watcher = _Watcher()
        self._watchers.add(watcher)
        if self._looking is None:
            self._marks = self._view.marks()
            self._looking = asyncio.create_task(self._look())
        return watcher

    def _left(self, watcher: _Watcher) -> None:
        self._watchers.discard(watcher)
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._changed.clear()
            before, self._marks = self._marks, self._view.marks()
            news = {each for each in before.keys() | self._marks.keys() if before.get(each) != self._marks.get(each)}
            for watcher in self._watchers if news else ():
                watcher.news |= news
                watcher.told.set()


def _closing() -> Refusal:
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.SHUTTING_DOWN,
        "The sidecar is shutting down; watch again when it is back.",
        retry_after_s=RETRY_S,
    )

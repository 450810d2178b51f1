"""WatchHealth: the whole at first, then what has changed. However many watch, one task looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping

from sidecar.core.catalog import Catalog
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

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.news: set[Subject] = set()
        self.told = asyncio.Event()


class HealthWatch:
    """`changed` may be called as often as anything changes: it only sets a flag."""

    def __init__(self, view: HealthView, catalog: Callable[[str], Catalog]) -> None:
        """`catalog`: what a workspace sees. Raises Refusal for one that is gone."""
        self._view = view
        self._catalog = catalog
        self._watchers: set[_Watcher] = set()
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._marks: dict[str, Mapping[Subject, Hashable]] = {}
        """By workspace that is watched."""
        self._closed = False

    @property
    def looked_at(self) -> bool:
        """Whether anybody watches."""
        return self._looking is not None

    def changed(self) -> None:
        self._changed.set()

    async def watch(self, workspace: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Until the caller hangs up. Raises Refusal when the sidecar shuts down, or the workspace is gone."""
        watcher = self._joined(workspace)
        try:
            whole = self._view.whole(self._catalog(workspace))
            first = pb.WatchHealthResponse(targets=whole.targets, accounts=whole.accounts)
            await write(first.SerializeToString())
            while not self._closed:
                await watcher.told.wait()
                watcher.told.clear()
                news, watcher.news = watcher.news, set()
                if news:
                    await write(self._view.of(news, self._catalog(workspace)).SerializeToString())
            raise _closing()
        finally:
            self._left(watcher)

    def close(self) -> None:
        """Whoever watches is told that this is the end."""
        self._closed = True
        for watcher in self._watchers:
            watcher.told.set()

    def _joined(self, workspace: str) -> _Watcher:
        """Raises Refusal."""
        if workspace not in self._marks:
            self._marks[workspace] = self._view.marks(self._catalog(workspace))
        watcher = _Watcher(workspace)
        self._watchers.add(watcher)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return watcher

    def _left(self, watcher: _Watcher) -> None:
        self._watchers.discard(watcher)
        if not any(other.workspace == watcher.workspace for other in self._watchers):
            self._marks.pop(watcher.workspace, None)
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
            for workspace in tuple(self._marks):
                self._compare(workspace)

    def _compare(self, workspace: str) -> None:
        before = self._marks[workspace]
        try:
            now = self._marks[workspace] = self._view.marks(self._catalog(workspace))
        except Refusal:  # its watchers ask for themselves, and are refused
            now = {}
        news = {each for each in before.keys() | now.keys() if before.get(each) != now.get(each)}
        for watcher in self._watchers if news else ():
            if watcher.workspace == workspace:
                watcher.news |= news
                watcher.told.set()


def _closing() -> Refusal:
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.SHUTTING_DOWN,
        "The sidecar is shutting down; watch again when it is back.",
        retry_after_s=RETRY_S,
    )

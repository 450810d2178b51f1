"""The control plane in force: the store behind an async face, and everybody told when something changes.

The store works in one thread of its own, so the loop never waits for it. When it cannot be reached, what is in force
stays in force, and only changes are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar.control.errors import CannotOpen, StoreUnavailable
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING, Actor, Control
from sidecar.core.faults import Refusal, RefusalReason

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import; the thread does that
    from sidecar.control.change import Change
    from sidecar.control.reading import Position
    from sidecar.control.store import ControlStore

T = TypeVar("T")
Follower = Callable[[Control, Control], None]
"""Told (old, new) in the moment of the swap. Must not fail or wait."""
POLL_S = 1.0
"""What another process changed is in force here within this."""


class ControlPlane:
    def __init__(
        self, store_factory: Callable[[], ControlStore], clock: Clock, log: Any, poll_s: float = POLL_S
    ) -> None:
        """`store_factory` is called once, in the thread."""
        self._factory = store_factory
        self._clock = clock
        self._log = log
        self._poll_s = poll_s
        self._thread = ThreadPoolExecutor(1, "control")
        self._store: ControlStore | None = None
        self._followers: list[Follower] = []
        self._preparers: list[Callable[[Control], None]] = []
        self._working: set[asyncio.Task[Any]] = set()
        self._lost_at_s: float | None = None
        self._position: Position | None = None
        self._moved = asyncio.Event()
        self.control: Control = NOTHING
        """What is in force."""

    def follow(self, follower: Follower) -> None:
        self._followers.append(follower)

    def prepare(self, preparer: Callable[[Control], None]) -> None:
        """`preparer` is handed what was read, in the thread, before it comes into force. It may wait, not fail."""
        self._preparers.append(preparer)

    async def open(self) -> None:
        """Raises CannotOpen."""
        await self._finished(self._open())

    async def close(self) -> None:
        """What was begun is finished first."""
        await asyncio.gather(*self._working, return_exceptions=True)
        if self._store is not None:
            await self._in_thread(self._store.close)
        self._thread.shutdown()

    async def change(self, actor: Actor, do: Callable[[Change], T]) -> T:
        """`do` in one transaction, in the thread; in force here when this returns, and even if the caller hangs up.
        Raises Refusal: what `do` raised, or CONTROL_UNAVAILABLE."""
        return await self._finished(self._change(actor, do))

    async def ask(self, question: Callable[[ControlStore], T]) -> T:
        """What only the store knows: the audit, old versions. Raises Refusal (CONTROL_UNAVAILABLE)."""
        try:
            return await self._in_thread(lambda: question(self._opened))
        except StoreUnavailable as error:
            raise _unavailable(error) from None

    async def refresh(self) -> None:
        """What the store has now comes into force. Raises StoreUnavailable."""
        position, control = await self._in_thread(self._read)
        self._swap(position, control)

    async def keep_fresh(self) -> None:
        """Watches for what other processes change, for as long as the sidecar runs."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._look()
            except StoreUnavailable as error:
                self._lost(error)
            else:
                self._found()

    @property
    def audit_sequence(self) -> int:
        """Of the newest audit entry that is known of here."""
        return self._position.audit_sequence if self._position else 0

    async def audited(self, after_sequence: int) -> None:
        """Returns once there are audit entries behind this one."""
        while self.audit_sequence <= after_sequence:
            await self._moved.wait()

    async def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Even if whoever waits for it is cancelled."""
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited for it may have gone

    async def _open(self) -> None:
        self._store = await self._in_thread(self._factory)
        try:
            await self.refresh()
        except StoreUnavailable as error:
            raise CannotOpen(f"The control store was lost while it was opened: {error}. Start again.") from None

    async def _look(self) -> None:
        position = await self._in_thread(self._opened.position)
        if position.generation != self.control.generation:
            await self.refresh()
        else:
            self._seen(position)

    async def _change(self, actor: Actor, do: Callable[[Change], T]) -> T:
        def work() -> tuple[T, Position, Control]:
            done = self._opened.change(actor, do)
            try:
                return done, *self._read()
            except StoreUnavailable as error:
                raise StoreUnavailable(str(error), uncertain=True) from None

        try:
            done, position, control = await self._in_thread(work)
        except StoreUnavailable as error:
            self._lost(error)
            raise _unavailable(error) from None
        self._found()
        self._swap(position, control)
        return done

    def _read(self) -> tuple[Position, Control]:
        """In the thread."""
        position, control = self._opened.snapshot()
        for preparer in self._preparers:
            preparer(control)
        return position, control

    @property
    def _opened(self) -> ControlStore:
        if self._store is None:
            raise StoreUnavailable("it is not open")
        return self._store

    def _swap(self, position: Position, control: Control) -> None:
        old, self.control = self.control, control
        self._seen(position)
        for follower in self._followers:
            try:
                follower(old, control)
            except Exception as error:  # noqa: BLE001 - one follower's mistake must not keep the others in the past
                self._log.error("control_follower_failed", error=type(error).__name__)

    def _seen(self, position: Position) -> None:
        if position != self._position:
            self._position = position
            self._moved.set()
            self._moved = asyncio.Event()

    def _lost(self, error: StoreUnavailable) -> None:
        """Said once."""
        if self._lost_at_s is None:
            self._lost_at_s = self._clock.monotonic_s()
            self._log.warning("control_store_unavailable", why=str(error), in_force=self.control.generation)

    def _found(self) -> None:
        if self._lost_at_s is not None:
            away_s = round(self._clock.monotonic_s() - self._lost_at_s, 1)
            self._log.info("control_store_back", away_s=away_s, generation=self.control.generation)
        self._lost_at_s = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _unavailable(error: StoreUnavailable) -> Refusal:
    made = "whether this change was made is not known: look before you repeat it" if error.uncertain else "try again"
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.CONTROL_UNAVAILABLE,
        f"The control store cannot be reached, and what is in force stays so; {made}.",
        retry_after_s=POLL_S,
    )

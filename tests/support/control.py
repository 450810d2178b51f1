"""A control store and a plane for tests: SQLite in a folder of the test, unless a URL is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Actor
from sidecar.plane.plane import POLL_S, ControlPlane

ACTOR = Actor("local", "unix")


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'control.db'}"


@asynccontextmanager
async def open_plane(
    folder: Path, url: str = "", clock: Clock | None = None, poll_s: float = POLL_S
) -> AsyncIterator[ControlPlane]:
    """Open; it looks for what others change only while `keep_fresh` runs."""
    clock = clock or Clock()
    plane = ControlPlane(lambda: ControlStore(url or sqlite_url(folder), clock), clock, structlog.get_logger(), poll_s)
    try:
        await plane.open()
        yield plane
    finally:
        await plane.close()

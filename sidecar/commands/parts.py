"""The parts of a whole Taximeter: how each is started, and when it is ready."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.commands.probes import answering, reachable, serving, shown
from sidecar.supervisor import Part, Supervisor

if TYPE_CHECKING:
    from sidecar.settings import Settings

STOP_ORDER = ("sidecar", "bookkeeper", "dashboard", "local model")
"""The sidecar first, so that the bookkeeper still books what it ends with."""
DRAIN_S = 5.0
"""Beyond the grace of the sidecar, for journal and ledger."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the parts work: the settings they will read, the environment and folder they read them from."""

    settings: Settings
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Running:
    """Where things are, for people."""

    address: str
    socket: Path
    dashboard: str
    home: Path


async def start_all(supervisor: Supervisor, place: Place, local_model_url: str = "") -> Running:
    """Starts sidecar, bookkeeper and dashboard at once; returns when all are ready. Raises StartFailed."""
    settings = place.settings
    sidecar_argv = ["sidecar", *(["--local-model", local_model_url] if local_model_url else [])]
    locks = {"sidecar": settings.home / "sidecar.lock", "bookkeeper": settings.home / "bookkeeper.lock"}

    async def calls_served(pid: int) -> bool:
        return told(locks["sidecar"]).get("pid") == pid and await serving(settings.socket)

    async def books_kept(pid: int) -> bool:
        return told(locks["bookkeeper"]).get("pid") == pid and await answering(settings.home / "bookkeeper.sock")

    async def pages_shown(_pid: int) -> bool:
        return await shown(reachable(settings.dashboard_host), settings.dashboard_port)

    parts = (
        _part("sidecar", sidecar_argv, place, calls_served),
        _part("bookkeeper", ["bookkeeper"], place, books_kept),
        _part("dashboard", ["dashboard"], place, pages_shown),
    )
    starts = [asyncio.create_task(supervisor.start(part)) for part in parts]
    try:
        await asyncio.gather(*starts)
    finally:
        for task in starts:
            task.cancel()
    return Running(
        address=told(locks["sidecar"])["address"],
        socket=settings.socket,
        dashboard=f"http://{reachable(settings.dashboard_host)}:{settings.dashboard_port}",
        home=settings.home,
    )


async def start_model(supervisor: Supervisor, logs: Path, env: Mapping[str, str]) -> str:
    """Starts the embedded model; returns its base URL. Raises StartFailed."""
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = logs / "local-model.json"
    said.unlink(missing_ok=True)

    async def ready(pid: int) -> bool:
        return told(said).get("pid") == pid

    # Chosen here, so that a model that is started again is where the sidecar looks for it.
    argv = [sys.executable, "-m", "sidecar.local_model", str(said), str(free_port())]
    await supervisor.start(Part("local model", argv, logs / "local-model.log", ready, env))
    url: str = told(said)["base_url"]
    return url


def told(file: Path) -> dict[str, Any]:
    """What a process wrote about itself; empty if it has not yet."""
    try:
        said: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return said


def free_port() -> int:
    """A TCP port of loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _part(name: str, argv: list[str], place: Place, ready: Callable[[int], Awaitable[bool]]) -> Part:
    return Part(
        name=name,
        argv=[sys.executable, "-m", "sidecar", *argv],
        log=place.settings.home / "logs" / f"{name}.log",
        ready=ready,
        env={**place.env, "TAXIMETER_HOME": str(place.settings.home)},
        cwd=place.cwd,
        stop_within_s=place.settings.grace_s + DRAIN_S,
    )

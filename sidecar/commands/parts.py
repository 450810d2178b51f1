"""The parts of a whole Taximeter: how each is started, and when it is ready."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.commands.probes import answering, serving, shown
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
    parts = (
        _part("sidecar", sidecar_argv, place, lambda: serving(settings.socket)),
        _part("bookkeeper", ["bookkeeper"], place, lambda: answering(settings.home / "bookkeeper.sock")),
        _part("dashboard", ["dashboard"], place, lambda: shown(settings.dashboard_host, settings.dashboard_port)),
    )
    starts = [asyncio.create_task(supervisor.start(part)) for part in parts]
    try:
        await asyncio.gather(*starts)
    finally:
        for task in starts:
            task.cancel()
    return Running(
        address=json.loads((settings.home / "sidecar.lock").read_text())["address"],
        socket=settings.socket,
        dashboard=f"http://{settings.dashboard_host}:{settings.dashboard_port}",
        home=settings.home,
    )


async def start_model(supervisor: Supervisor, logs: Path, env: Mapping[str, str]) -> str:
    """Starts the embedded model; returns its base URL. Raises StartFailed."""
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    said = logs / "local-model.json"
    said.unlink(missing_ok=True)

    async def ready() -> bool:
        return said.is_file() and said.read_bytes().endswith(b"\n")

    argv = [sys.executable, "-m", "sidecar.local_model", str(said)]
    await supervisor.start(Part("local model", argv, logs / "local-model.log", ready, env))
    url: str = json.loads(said.read_text())["base_url"]
    return url


def _part(name: str, argv: list[str], place: Place, ready: Callable[[], Awaitable[bool]]) -> Part:
    return Part(
        name=name,
        argv=[sys.executable, "-m", "sidecar", *argv],
        log=place.settings.home / "logs" / f"{name}.log",
        ready=ready,
        env={**place.env, "TAXIMETER_HOME": str(place.settings.home)},
        cwd=place.cwd,
        stop_within_s=place.settings.grace_s + DRAIN_S,
    )

"""`taximeter up`: everything on one machine, under one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar import local_model
from sidecar.cli import Exit
from sidecar.commands.context import configuration, environment, err, out
from sidecar.commands.probes import answering, serving, shown
from sidecar.supervisor import Part, StartFailed, Supervisor

if TYPE_CHECKING:
    from sidecar.settings import Loaded, Settings

STOP_ORDER = ("sidecar", "bookkeeper", "dashboard", "local model")
"""The sidecar first, so that the bookkeeper still books what it ends with."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where things are, for people."""

    address: str
    socket: Path
    dashboard: str
    home: Path
    model: str
    """The embedded model's name, empty if real providers are used."""


def up(*, embedded_model: bool) -> int:
    """Runs until SIGINT or SIGTERM. Returns an exit code."""
    loaded = configuration()
    for warning in loaded.warnings:
        err.print("[yellow]configuration:[/] ", end="")
        err.print(warning, markup=False)
    return asyncio.run(_run(loaded, embedded_model=embedded_model))


async def _run(loaded: Loaded, *, embedded_model: bool) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    supervisor = Supervisor(lambda message: err.print(message, markup=False))
    starting = asyncio.create_task(start(supervisor, loaded, embedded_model=embedded_model))
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            announce(await starting)
            await waiting
        else:
            starting.cancel()
    except StartFailed as failed:
        err.print("[red]error:[/] ", end="")
        err.print(str(failed), markup=False)
        return Exit.FAILED
    finally:
        with contextlib.suppress(asyncio.CancelledError, StartFailed):
            await starting
        if stopped.is_set():
            out.print("stopping: calls in flight may finish ...")
        await supervisor.stop(STOP_ORDER)
    out.print("stopped; every call is in the books")
    return Exit.OK


async def start(supervisor: Supervisor, loaded: Loaded, *, embedded_model: bool) -> Running:
    """Starts all parts at once; returns when all are ready. Raises StartFailed."""
    settings = loaded.settings
    model_url = ""
    if embedded_model and wants_model(loaded):
        model_url = await start_model(supervisor, settings)
    sidecar_argv = ["sidecar", *(["--local-model", model_url] if model_url else [])]
    ready = settings.home / "sidecar.lock"
    async with asyncio.TaskGroup() as group:
        for part in (
            _part("sidecar", sidecar_argv, settings, lambda: serving(settings.socket)),
            _part("bookkeeper", ["bookkeeper"], settings, lambda: answering(settings.home / "bookkeeper.sock")),
            _part(
                "dashboard", ["dashboard"], settings, lambda: shown(settings.dashboard_host, settings.dashboard_port)
            ),
        ):
            group.create_task(supervisor.start(part))
    bound = json.loads(ready.read_text())
    return Running(
        address=bound["address"],
        socket=settings.socket,
        dashboard=f"http://{settings.dashboard_host}:{settings.dashboard_port}",
        home=settings.home,
        model=local_model.MODEL if model_url else "",
    )


def wants_model(loaded: Loaded) -> bool:
    """No provider is usable, and the embedded model is neither switched off nor impossible."""
    from sidecar.settings import any_usable

    if any_usable(loaded) or loaded.settings.embedded_model == "never":
        return False
    why_not = local_model.missing()
    if why_not:
        err.print(f"no provider is usable, and there is no embedded model: {why_not}", markup=False)
    return not why_not


async def start_model(supervisor: Supervisor, settings: Settings) -> str:
    """Starts the embedded model; returns its base URL."""
    log = settings.home / "logs" / "local-model.log"
    said = settings.home / "logs" / "local-model.json"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    said.unlink(missing_ok=True)

    async def ready() -> bool:
        return said.is_file() and said.read_bytes().endswith(b"\n")

    await supervisor.start(
        Part("local model", [sys.executable, "-m", "sidecar.local_model", str(said)], log, ready, environment())
    )
    url: str = json.loads(said.read_text())["base_url"]
    return url


def _part(name: str, argv: list[str], settings: Settings, ready: Callable[[], Awaitable[bool]]) -> Part:
    return Part(
        name=name,
        argv=[sys.executable, "-m", "sidecar", *argv],
        log=settings.home / "logs" / f"{name}.log",
        ready=ready,
        env=environment(TAXIMETER_HOME=str(settings.home)),
        stop_within_s=settings.grace_s + 5,
    )


def announce(running: Running) -> None:
    """What a newcomer needs to know, in one screen."""
    out.print()
    if running.model:
        out.rule("[bold yellow]no provider key found: a small built-in model answers", style="yellow")
        out.print(
            f"{running.model} is real but tiny. It stands in as provider [bold]local[/] at no cost. To use real\n"
            "providers, put a key into the environment or .env (say OPENAI_API_KEY=...) and start again."
        )
        out.print()
    out.print(f"[bold green]Taximeter is ready.[/]  gRPC      {running.address}  and  unix:{running.socket}")
    out.print(f"                     dashboard {running.dashboard}")
    out.print(f"                     home      {running.home}")
    out.print()
    out.print(f'try:  [bold]{command_name()} invoke "Write a haiku about taxis" --alias smart --stream[/]')
    out.print("Ctrl-C stops everything.")


def command_name() -> str:
    """How this person can call us: by the name alone if it is on their path."""
    import shutil

    found = shutil.which("taximeter")
    own = Path(sys.argv[0])
    if found or not own.is_file():
        return "taximeter"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)

"""`taximeter up`: everything on one machine, under one supervisor."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar import local_model
from sidecar.cli import Exit
from sidecar.commands.context import configuration, environment, err, out
from sidecar.commands.parts import STOP_ORDER, Place, Running, start_all, start_model
from sidecar.supervisor import StartFailed, Supervisor

if TYPE_CHECKING:
    from sidecar.settings import Loaded


def up(*, embedded_model: bool) -> int:
    """Runs until SIGINT or SIGTERM. Returns an exit code."""
    loaded = configuration()
    for warning in loaded.warnings:
        err.print("[yellow]configuration:[/] ", end="")
        err.print(warning, markup=False)
    return asyncio.run(_run(loaded, with_model=embedded_model and wants_model(loaded)))


def wants_model(loaded: Loaded) -> bool:
    """No provider is usable, and the embedded model is neither switched off nor impossible here."""
    from sidecar.settings import any_usable

    if any_usable(loaded) or loaded.settings.embedded_model == "never":
        return False
    why_not = local_model.missing()
    if why_not:
        err.print(f"no provider is usable, and there is no embedded model: {why_not}", markup=False)
    return not why_not


async def _run(loaded: Loaded, *, with_model: bool) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    supervisor = Supervisor(lambda message: err.print(message, markup=False))
    starting = asyncio.create_task(_start(supervisor, loaded, with_model=with_model))
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            announce(starting.result(), model=local_model.MODEL if with_model else "")
            await waiting
    except StartFailed as failed:
        err.print("[red]error:[/] ", end="")
        err.print(str(failed), markup=False)
        return Exit.FAILED
    finally:
        starting.cancel()
        await asyncio.wait({starting})
        if stopped.is_set():
            out.print("stopping: calls in flight may finish ...")
        await supervisor.stop(STOP_ORDER)
    out.print("stopped; every call is in the books")
    return Exit.OK


async def _start(supervisor: Supervisor, loaded: Loaded, *, with_model: bool) -> Running:
    place = Place(loaded.settings, environment(), Path.cwd())
    url = await start_model(supervisor, loaded.settings.home / "logs", place.env) if with_model else ""
    return await start_all(supervisor, place, url)


def announce(running: Running, model: str) -> None:
    """What a newcomer needs to know, in one screen."""
    out.print()
    if model:
        out.rule("[bold yellow]no provider key found: a small built-in model answers", style="yellow")
        out.print(
            f"{model} is real but tiny. It stands in as provider [bold]local[/], at no cost.\n"
            "For real providers put a key into the environment or .env (say OPENAI_API_KEY=...) and start again."
        )
        out.print()
    out.print(f"[bold green]Taximeter is ready.[/]  gRPC       {running.address}  and  unix:{running.socket}")
    out.print(f"                     dashboard  {running.dashboard}")
    out.print(f"                     home       {running.home}")
    out.print()
    out.print(f'try:  [bold]{command_name()} invoke "Write a haiku about taxis" --alias smart --stream[/]')
    out.print("Ctrl-C stops everything.")


def command_name() -> str:
    """How this person can call us: by the name alone if it is on their path."""
    own = Path(sys.argv[0])
    if shutil.which("taximeter") or not own.is_file():
        return "taximeter"
    here = Path.cwd()
    return str(own.relative_to(here)) if own.is_absolute() and own.is_relative_to(here) else str(own)

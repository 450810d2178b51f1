"""`taximeter up`: everything on one machine, under one supervisor."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar import local_model
from sidecar.cli import Exit
from sidecar.commands.alone import InTheWay, alone
from sidecar.commands.context import configuration, environment, err, fail, out, warn
from sidecar.commands.encryption import ensure_key
from sidecar.commands.parts import STOP_ORDER, Place, Running, start_all, start_model
from sidecar.hangup import Hangup
from sidecar.supervisor import StartFailed, Supervisor

if TYPE_CHECKING:
    from sidecar.settings import Loaded

TRY = 'invoke "Write a haiku about taxis" --alias smart --stream'


def up(*, embedded_model: bool) -> int:
    """Runs until SIGINT or SIGTERM. Returns an exit code."""
    os.umask(0o077)
    loaded = configuration()
    warn(loaded.warnings)
    try:
        with alone(loaded.settings):
            ensure_key(loaded)
            return asyncio.run(_run(loaded, with_model=embedded_model and wants_model(loaded)))
    except InTheWay as there:
        fail(str(there), Exit.USAGE)


def wants_model(loaded: Loaded) -> bool:
    """No provider is usable, and the embedded model is neither switched off nor impossible here."""
    from sidecar.settings import any_usable

    if any_usable(loaded) or loaded.settings.embedded_model == "never":
        return False
    why_not = local_model.missing()
    if why_not:
        err.print(f"no provider is usable, and there is no embedded model: {why_not}", markup=False, style="yellow")
    return not why_not


async def _run(loaded: Loaded, *, with_model: bool) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    supervisor = Supervisor(lambda message: err.print(message, markup=False, style="yellow"))
    closed = Hangup()

    def hung_up() -> None:
        if closed.means_stop():
            stopped.set()
        else:
            supervisor.tell("sidecar", signal.SIGHUP)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)
    out.print(f"starting {'a small built-in model, ' * with_model}sidecar, bookkeeper and dashboard ...")
    starting = asyncio.create_task(_start(supervisor, loaded, with_model=with_model))
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            announce(starting.result(), loaded, with_model=with_model)
            await waiting
    except StartFailed as failed:
        fail(str(failed), Exit.USAGE if failed.refused else Exit.FAILED)
    finally:
        starting.cancel()
        await asyncio.wait({starting})
        if stopped.is_set():
            out.print(f"stopping: calls in flight may finish (at most {loaded.settings.grace_s:g} s) ...")
        await supervisor.stop(STOP_ORDER)
    out.print("stopped; every call is in the books")
    return Exit.OK


async def _start(supervisor: Supervisor, loaded: Loaded, *, with_model: bool) -> Running:
    place = Place(loaded.settings, environment(), Path.cwd())
    url = await start_model(supervisor, loaded.settings.home / "logs", place.env) if with_model else ""
    return await start_all(supervisor, place, url)


def announce(running: Running, loaded: Loaded, *, with_model: bool) -> None:
    """What a newcomer needs to know, in one screen."""
    out.print()
    if with_model:
        out.print(
            "*** No provider has a key: a small built-in model answers. ***\n"
            f"    {local_model.MODEL} is real but tiny, and costs nothing. For real providers put a key\n"
            "    into the environment or .env (say OPENAI_API_KEY=...) and start again.\n",
            style="bold yellow",
            markup=False,
        )
    out.print("[bold green]Taximeter is ready.[/]")
    lines = (
        ("gRPC", running.address),
        ("" if running.address else "gRPC", f"unix:{running.socket}"),
        ("dashboard", running.dashboard),
        ("providers", providers(loaded, with_model=with_model)),
        ("home", str(running.home)),
    )
    for name, value in lines:
        if value:
            out.print(f"  {name:<10} {value}", markup=False)
    out.print(f"\ntry:  [bold]{command_name()}[/] ", end="")
    out.print(TRY, markup=False, style="bold")
    out.print("Ctrl-C stops everything.")


def providers(loaded: Loaded, *, with_model: bool) -> str:
    """What answers: the usable providers, or what takes their place."""
    usable = [name for name, account in loaded.catalog.accounts.items() if account.usable]
    if usable:
        return ", ".join(usable)
    if with_model:
        return f"local ({local_model.MODEL}, built in)"
    return "none is usable, every call is refused: see `taximeter doctor`"


def command_name() -> str:
    """What to type in another terminal: our name alone if it is on the path, and the home if it was given here."""
    own = Path(sys.argv[0])
    name = "taximeter"
    if not shutil.which(name) and own.is_file():
        here = Path.cwd()
        name = str(own.relative_to(here)) if own.is_absolute() and own.is_relative_to(here) else str(own)
    home = os.environ.get("TAXIMETER_HOME")
    return f"TAXIMETER_HOME={shlex.quote(home)} {name}" if home else name

"""`taximeter health`: what a container's health check runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sidecar.cli import Exit
from sidecar.commands.context import fail, out, print_json, whereabouts
from sidecar.commands.probes import answering, reachable, serving, shown


def health(part: str, *, as_json: bool) -> int:
    """Asks one part of this home. Returns an exit code."""
    settings = whereabouts()
    probes: dict[str, Callable[[], Awaitable[bool]]] = {
        "sidecar": lambda: serving(settings.socket),
        "bookkeeper": lambda: answering(settings.home / "bookkeeper.sock"),
        "dashboard": lambda: shown(reachable(settings.dashboard_host), settings.dashboard_port),
    }
    if part not in probes:
        fail(f"there is no part {part!r}: sidecar, bookkeeper or dashboard", Exit.USAGE)

    async def ask() -> bool:
        return await probes[part]()

    well = asyncio.run(ask())
    if as_json:
        print_json({"part": part, "ok": well})
    else:
        out.print(f"{part}: {'ok' if well else 'no answer'}")
    return Exit.OK if well else Exit.UNREACHABLE

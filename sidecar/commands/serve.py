"""`taximeter sidecar | bookkeeper | dashboard`: one process each, as in a container."""

from __future__ import annotations

import asyncio
import os

from sidecar.commands.context import configuration, warn


def sidecar(local_model: str) -> int:
    """Serves calls until SIGTERM. `local_model`: base URL of the embedded model, from `taximeter up`."""
    import uvloop

    from sidecar import app, settings

    loaded = configuration()
    warn(loaded.warnings)
    if local_model:
        loaded = settings.with_local_model(loaded, local_model)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(app.run(loaded))


def bookkeeper() -> int:
    """Keeps the ledger until SIGTERM."""
    from sidecar.bookkeeper import process

    return process.run(configuration().settings)


def dashboard() -> int:
    """Becomes the dashboard's own process."""
    from dashboards import launch

    settings = configuration().settings
    argv = launch.command(settings.home, settings.dashboard_host, settings.dashboard_port, settings.trace_url)
    os.execv(argv[0], argv)  # noqa: S606 - our own interpreter

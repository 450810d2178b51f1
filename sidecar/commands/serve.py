"""`taximeter sidecar | bookkeeper | dashboard`: one process each, as in a container."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sidecar.commands.context import configuration, warn


def sidecar(local_model: str) -> int:
    """Serves calls until SIGTERM. `local_model`: base URL of the embedded model, from `taximeter up`."""
    import uvloop

    from sidecar import app, dumps, settings
    from sidecar.providers import registry

    dumps.forbid()
    loaded = configuration()
    warn(loaded.warnings)
    environ, cwd = dict(os.environ), Path.cwd()

    def with_model(plain: settings.Loaded) -> settings.Loaded:
        return settings.with_local_model(plain, local_model) if local_model else plain

    def reread(check: settings.Check) -> settings.Loaded:
        return with_model(settings.load(environ, cwd, registry.built(), check=check))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(app.run(with_model(loaded), reread))


def bookkeeper() -> int:
    """Keeps the ledger until SIGTERM."""
    from sidecar import dumps
    from sidecar.bookkeeper import process

    dumps.forbid()
    return process.run(configuration().settings)


def dashboard() -> int:
    """Becomes the dashboard's own process."""
    from dashboards import launch

    settings = configuration().settings
    argv = launch.command(
        settings.home,
        settings.dashboard_host,
        settings.dashboard_port,
        trace_url=settings.trace_url,
        login=settings.dashboard_login,
        secrets=settings.dashboard_secrets,
    )
    os.execv(argv[0], argv)  # noqa: S606 - our own interpreter

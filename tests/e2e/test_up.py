"""`taximeter up` as a newcomer meets it: the embedded real model answers a real call, and all of it ends well."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sidecar import local_model
from sidecar.commands.parts import free_port
from tests.support.cli import TAXIMETER, Shell
from tests.support.stack import clean_environment, until

pytestmark = [
    pytest.mark.model,
    pytest.mark.xdist_group("heavy"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(bool(local_model.missing()), reason=f"NO EMBEDDED MODEL: {local_model.missing()}"),
]


@dataclass
class Up:
    """A running `taximeter up`, and what it has said."""

    shell: Shell
    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def until_ready(self) -> float:
        """Seconds from the start."""
        began = time.monotonic()
        until(lambda: "Ctrl-C stops everything." in self.said() or self.process.poll() is not None, "up is ready")
        assert self.process.poll() is None, self.said()
        return time.monotonic() - began

    def pid(self, file: str) -> int:
        told: dict[str, int] = json.loads((self.home / file).read_text())
        return told["pid"]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(40)

    def left(self) -> list[str]:
        """Command lines of processes that still belong to this home."""
        marker = f"TAXIMETER_HOME={self.home}".encode()
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return [line for line in found if line]


def begin(folder: Path, **env: str) -> Up:
    home = folder / "home"
    environment = clean_environment(
        TAXIMETER_HOME=str(home),
        TAXIMETER_LISTEN="127.0.0.1:0",
        TAXIMETER_DASHBOARD_PORT=str(free_port()),
        **env,
    )
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen([*TAXIMETER, "up"], env=environment, cwd=folder, stdout=output, stderr=output)
    return Up(Shell(environment, folder), home, process, log)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="tx", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    started = begin(folder)
    try:
        started.until_ready()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
        until(lambda: not started.left(), "nothing is left behind")


def test_a_fresh_machine_makes_a_real_call_and_reads_it_everywhere(up: Up, tmp_path: Path) -> None:
    shell = up.shell
    assert "No provider has a key: a small built-in model answers." in up.said()
    assert up.home.stat().st_mode & 0o777 == 0o700
    assert (up.home / "encryption.key").stat().st_mode & 0o777 == 0o600
    assert f"A key was made to encrypt the provider keys of workspaces with: {up.home / 'encryption.key'}" in up.said()

    answered = shell.run("invoke", "What is a taxi?", "--alias", "smart", "--max-tokens", "12", "--json").document
    metering = answered["metering"]
    assert answered["response"]["choices"][0]["message"]["text"]
    assert metering["cost"]["priceSource"] == "declared"
    streamed = shell.run("invoke", "Say hi", "--stream", "--max-tokens", "5")
    assert (streamed.code, bool(streamed.out.strip())) == (0, True)

    until(lambda: len(shell.run("calls", "--json").lines) == 2, "both calls are in the ledger", 5)
    row = shell.run("calls", metering["callId"], "--json").document["call"]
    assert (row["provider"], row["status"]) == ("local", "ok")
    assert row["output_tokens"] == int(metering["usage"]["outputTokens"])
    usage = shell.run("usage", "--json").document["total"]
    assert (usage["calls"], float(usage["cost_usd"]), usage["unpriced_calls"]) == (2, 0, 0)
    assert shell.run("export", "-o", str(tmp_path / "x.csv"), "--json").document["rows"] == 2
    verdicts = {each["what"]: each["verdict"] for each in shell.run("doctor", "--json").document}
    assert {verdicts[part] for part in ("sidecar", "bookkeeper", "dashboard", "ledger")} == {"ok"}

    again = shell.run("up")
    assert again.code == 2
    assert f"pid {up.process.pid}, serves 127.0.0.1:" in again.err
    assert shell.run("health", "sidecar").code == 0

    assert up.stop() == 0
    assert up.left() == []
    assert up.said().endswith("stopped; every call is in the books\n")
    assert len(shell.run("calls", "--json").lines) == 2


def test_parts_that_are_killed_come_back_and_a_killed_up_leaves_nothing(up: Up) -> None:
    calls = ("invoke", "hi", "--max-tokens", "2", "--timeout", "10")
    assert up.shell.run(*calls).code == 0
    for file in ("sidecar.lock", "bookkeeper.lock", "logs/local-model.json"):
        os.kill(up.pid(file), signal.SIGKILL)
    until(lambda: up.shell.run(*calls).code == 0, "a call is answered again")
    until(lambda: up.shell.run("health", "bookkeeper").code == 0, "the bookkeeper answers again")
    until(lambda: len(up.shell.run("calls", "--status", "ok", "--json").lines) >= 2, "both are booked")
    assert up.said().count("ended with SIGKILL; starting it again") == 3
    up.process.kill()
    up.process.wait()
    until(lambda: not up.left(), "nothing is left behind")


def test_with_a_key_the_real_providers_are_named_and_no_model_is_started(folder: Path) -> None:
    up = begin(folder, OPENAI_API_KEY="sk-not-a-key-000000000000", GROQ_API_KEY="gsk_not_a_key_0000000000")
    try:
        up.until_ready()
        assert "providers  openai, groq\n" in up.said()
        assert "built-in" not in up.said()
        assert not (up.home / "logs" / "local-model.log").exists()
        assert up.stop(signal.SIGTERM) == 0
    finally:
        up.process.kill()
        up.process.wait()
    assert up.left() == []

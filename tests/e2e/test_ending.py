"""Ending well, and not beginning badly: real processes, told to stop or started where they cannot run."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import google_crc32c
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from taximeter import Client, TaximeterError, errors
from tests.support.books import booked
from tests.support.stack import Process, Stack, stack, until

pytestmark = pytest.mark.timeout(90)
MARKER = "00000000-0000-4000-8000-00000000000a"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def ask(running: Stack, model: str) -> tuple[str, float]:
    """The answer's text, and when it came (monotonic). The provider sees MARKER."""
    with Client(running.address, timeout=30) as client:
        text = client.chat(f"marker {MARKER}", provider="loop", model=model).text
        return text, time.monotonic()


def listen(running: Stack, model: str) -> tuple[str, float]:
    with Client(running.address, timeout=30) as client:
        with client.stream(f"marker {MARKER}", provider="loop", model=model) as stream:
            text = "".join(stream.text)
        assert stream.metering is not None
        return text, time.monotonic()


def when_not_serving(running: Stack, watching: Event) -> float:
    """Watches health until it says NOT_SERVING; the moment (monotonic). `watching` is set by its first word."""
    with grpc.insecure_channel(running.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for said in stub.Watch(health_pb2.HealthCheckRequest(), timeout=30):
            watching.set()
            if said.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                return time.monotonic()
    raise AssertionError("the watch ended before NOT_SERVING")


def in_flight(running: Stack, calls: int = 1) -> None:
    until(lambda: len(running.markers()) >= calls, "the provider has been asked")


@pytest.mark.parametrize(
    ("how", "model", "text"),
    [
        pytest.param(ask, "slow-1500", "Seven words that a provider once said.", id="unary"),
        pytest.param(listen, "tokens-75-20", "".join(f"word{n} " for n in range(75)), id="streamed"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_calls_in_flight_finish_while_health_says_not_serving(
    how: Callable[[Stack, str], tuple[str, float]],
    model: str,
    text: str,
    number: signal.Signals,
    pool: ThreadPoolExecutor,
) -> None:
    with stack() as running:
        running.provider()
        sidecar = running.sidecar()
        watching = Event()
        not_serving = pool.submit(when_not_serving, running, watching)
        assert watching.wait(10)
        answer: Future[tuple[str, float]] = pool.submit(how, running, model)
        in_flight(running)
        sidecar.popen.send_signal(number)
        closed_at = not_serving.result(10)
        with pytest.raises(errors.SidecarUnavailable, match="shutting down") as refused:
            ask(running, "plain")
        said, answered_at = answer.result(20)
        assert said == text
        assert closed_at < answered_at
        assert refused.value.retry_after_s is not None
        assert sidecar.popen.wait(5) == 0, sidecar.said()
        assert not (running.home / "taximeter.sock").exists()
        running.bookkeeper()
        assert [(row["status"], row["provider"]) for row in booked(running)] == [("ok", "loop")]


@pytest.mark.parametrize(("how", "model"), [(ask, "slow-30000"), (listen, "tokens-3000-10")], ids=["unary", "streamed"])
def test_calls_beyond_the_grace_are_cancelled_metered_and_recorded(
    how: Callable[[Stack, str], tuple[str, float]], model: str, pool: ThreadPoolExecutor
) -> None:
    with stack(TAXIMETER_GRACE="300ms") as running:
        running.provider()
        sidecar = running.sidecar()
        asked = [pool.submit(how, running, model) for _ in range(3)]
        in_flight(running, 3)
        begun = time.monotonic()
        assert sidecar.stop() == 0, sidecar.said()
        assert 0.3 <= time.monotonic() - begun < 5
        for each in asked:
            with pytest.raises(TaximeterError) as told:
                each.result(10)
            assert told.value.code in ("UNAVAILABLE", "CANCELLED")
        running.bookkeeper()
        rows = booked(running)
        assert [(row["status"], row["attempts"]) for row in rows] == [("cancelled", 1)] * 3
        assert all(row["maybe_billed"] or row["output_tokens"] for row in rows)


def test_an_idle_sidecar_ends_at_once() -> None:
    with stack() as running:
        sidecar = running.sidecar()
        begun = time.monotonic()
        assert sidecar.stop() == 0
        assert time.monotonic() - begun < 8, "the grace is 10 s"
        assert '"stopped"' in sidecar.said()
        assert "Traceback" not in sidecar.said()


FAILING_DISK = """
import os, pathlib, runpy, sys
sick, real = pathlib.Path(sys.argv.pop(1)), os.fdatasync
def fdatasync(descriptor):
    if sick.exists():
        raise OSError(5, "Input/output error")
    real(descriptor)
os.fdatasync = fdatasync
runpy.run_module("sidecar", run_name="__main__", alter_sys=True)
"""


def test_a_failed_disk_ends_the_sidecar_with_a_reason_and_the_next_one_serves() -> None:
    """Never is an answer acknowledged that the disk has not taken."""
    with stack() as running:
        running.provider()
        (running.cwd / "failing.py").write_text(FAILING_DISK)
        sick = running.folder / "sick"
        sidecar = running.run("failing", "failing", str(sick), "sidecar")
        running.wait_serving(sidecar)
        assert ask(running, "plain")[0]
        sick.touch()
        with pytest.raises(TaximeterError) as told:
            ask(running, "plain")
        assert (told.value.code, told.value.reason) == ("INTERNAL", "JOURNAL_FAILED")
        assert sidecar.popen.wait(20) == 1, sidecar.said()
        assert "journal_failed" in sidecar.said()
        assert "Traceback" not in sidecar.said()
        sick.unlink()
        running.sidecar()
        assert ask(running, "plain")[0]
        running.bookkeeper()
        until(lambda: len(booked(running)) == 3, "all three calls are booked")


def refused(running: Stack) -> str:
    """What a sidecar says that cannot start."""
    process: Process = running.run("refused", "sidecar", "sidecar")
    assert process.popen.wait(20) == 2, process.said()
    assert "Traceback" not in process.said()
    return process.said()


def test_a_second_sidecar_is_refused_with_address_and_pid_of_the_first() -> None:
    with stack() as running:
        first = running.sidecar()
        said = refused(running)
        assert f"pid {first.popen.pid} serves 127.0.0.1:" in said
        assert "TAXIMETER_HOME" in said
        with Client(running.address, timeout=5) as client:
            assert client.providers() is not None
        first.kill()
        again = running.sidecar()  # the lock dies with its holder, whatever its file says
        assert again.stop() == 0


def port_in_use(running: Stack, open_sockets: ExitStack) -> None:
    taken = open_sockets.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    running.env["TAXIMETER_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"


def long_socket(running: Stack, open_sockets: ExitStack) -> None:
    running.env["TAXIMETER_SOCKET"] = str(running.folder / ("x" * 110))


def served_socket(running: Stack, open_sockets: ExitStack) -> None:
    other = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
    other.bind(str(running.folder / "s"))
    other.listen()
    running.env["TAXIMETER_SOCKET"] = str(running.folder / "s")


def home_is_a_file(running: Stack, open_sockets: ExitStack) -> None:
    running.home.write_text("no folder")


def read_only_home(running: Stack, open_sockets: ExitStack) -> None:
    if os.geteuid() == 0:
        running.env["TAXIMETER_HOME"] = "/proc/self/taximeter"  # nobody makes folders there, root neither
    else:
        running.home.mkdir()
        running.home.chmod(0o500)


def open_without_tls(running: Stack, open_sockets: ExitStack) -> None:
    running.env["TAXIMETER_LISTEN"] = "0.0.0.0:0"


def certificate_missing(running: Stack, open_sockets: ExitStack) -> None:
    running.env |= {"TAXIMETER_TLS_CERT": "/no/such.pem", "TAXIMETER_TLS_KEY": "/no/such.key"}


def certificate_garbage(running: Stack, open_sockets: ExitStack) -> None:
    (running.folder / "x.pem").write_text("garbage")
    running.env |= {
        "TAXIMETER_TLS_CERT": str(running.folder / "x.pem"),
        "TAXIMETER_TLS_KEY": str(running.folder / "x.pem"),
    }


def prices_missing(running: Stack, open_sockets: ExitStack) -> None:
    running.env["TAXIMETER_PRICES_FILE"] = str(running.folder / "no-such.toml")


def newer_journal(running: Stack, open_sockets: ExitStack) -> None:
    """One whole frame, whose header tells of a format that is not yet known."""
    head = struct.pack("<4sHHI", b"TXMJ", 99, 0, 8)
    crc = struct.pack("<I", google_crc32c.value(head + b"whatever"))
    own = running.home / "journal" / "01NEWER"
    own.mkdir(parents=True)
    (own / "0000000001.journal").write_bytes(head + crc + b"whatever")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(port_in_use, ["is in use", "TAXIMETER_LISTEN"], id="port-in-use"),
        pytest.param(long_socket, ["longer than 107 bytes", "TAXIMETER_SOCKET"], id="socket-path-too-long"),
        pytest.param(served_socket, ["Another process serves", "TAXIMETER_SOCKET"], id="socket-in-use"),
        pytest.param(home_is_a_file, ["Cannot work in the home", "TAXIMETER_HOME"], id="home-is-a-file"),
        pytest.param(read_only_home, ["Cannot work in the home", "TAXIMETER_HOME"], id="home-not-writable"),
        pytest.param(open_without_tls, ["reachable from other machines", "TAXIMETER_TLS_CERT"], id="open-without-tls"),
        pytest.param(certificate_missing, ["TAXIMETER_TLS_CERT=/no/such.pem", "No such file"], id="no-certificate"),
        pytest.param(certificate_garbage, ["check it, and the certificate"], id="garbage-certificate"),
        pytest.param(prices_missing, ["no-such.toml"], id="no-prices-file"),
        pytest.param(newer_journal, ["written by a newer Taximeter", "run that version"], id="newer-journal"),
    ],
)
def test_a_start_that_cannot_be(spoil: Callable[[Stack, ExitStack], None], says: list[str]) -> None:
    """A message that says what to do, and exit code 2."""
    with stack() as running, ExitStack() as open_sockets:
        spoil(running, open_sockets)
        said = refused(running)
        assert [text for text in says if text not in said] == [], said

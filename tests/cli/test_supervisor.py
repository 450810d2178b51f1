"""The supervisor, with real child processes."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.supervisor import LOG_BYTES, Part, StartFailed, Supervisor, restart_after_s

READY = "import pathlib,sys,time; pathlib.Path(sys.argv[1]).open('a').write('up\\n'); "


def part(tmp_path: Path, code: str, ready_within_s: float = 30, stop_within_s: float = 15) -> Part:
    """A child that says it is ready by a line in a file."""
    said = tmp_path / "said"

    async def ready(_pid: int) -> bool:
        return said.is_file() and said.read_text().endswith("\n")

    argv = [sys.executable, "-c", code, str(said)]
    log = tmp_path / "logs" / "child.log"
    env = dict(os.environ)
    return Part("child", argv, log, ready, env, ready_within_s=ready_within_s, stop_within_s=stop_within_s)


def starts(tmp_path: Path) -> int:
    return (tmp_path / "said").read_text().count("up")


async def until_starts(tmp_path: Path, count: int) -> None:
    async with asyncio.timeout(20):
        while starts(tmp_path) < count:
            await asyncio.sleep(0.02)


async def test_start_returns_when_the_part_is_ready(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    await supervisor.start(part(tmp_path, READY + "time.sleep(60)"))
    assert starts(tmp_path) == 1
    await supervisor.stop(("child",))


async def test_a_part_that_dies_is_started_again_and_said_so(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(told.append)
    await supervisor.start(part(tmp_path, READY + "time.sleep(0.3); sys.exit(7)"))
    await until_starts(tmp_path, 2)
    await supervisor.stop(("child",))
    assert "ended with exit code 7" in told[0]


async def test_a_part_that_is_killed_is_started_again_and_the_signal_named(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(told.append)
    await supervisor.start(part(tmp_path, READY + "time.sleep(0.2); import os; os.kill(os.getpid(), 9)"))
    await until_starts(tmp_path, 2)
    await supervisor.stop(("child",))
    assert "ended with SIGKILL" in told[0]


async def test_a_part_that_refuses_is_not_started_again(tmp_path: Path) -> None:
    refused = asyncio.Event()
    told: list[str] = []

    def tell(message: str) -> None:
        told.append(message)
        refused.set()

    supervisor = Supervisor(tell)
    await supervisor.start(part(tmp_path, READY + "time.sleep(0.2); print('bad key'); sys.exit(2)"))
    async with asyncio.timeout(20):
        await refused.wait()
    await supervisor.stop(("child",))
    assert starts(tmp_path) == 1
    assert "bad key" in told[0]


async def test_a_part_that_ends_before_it_is_ready_shows_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    with pytest.raises(StartFailed, match=r"exit code 3[\s\S]*port is taken"):
        await supervisor.start(part(tmp_path, "print('port is taken'); raise SystemExit(3)"))
    await supervisor.stop(())


async def test_only_what_this_start_wrote_is_shown(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "child.log").write_text("from last week\n")
    with pytest.raises(StartFailed) as failed:
        await Supervisor(print).start(part(tmp_path, "print('of today'); raise SystemExit(3)"))
    assert str(failed.value).endswith("ends:\nof today")


async def test_a_part_that_refuses_at_the_start_says_why_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StartFailed) as failed:
        await Supervisor(print).start(part(tmp_path, "print('noise'); print('port is taken'); raise SystemExit(2)"))
    assert (str(failed.value), failed.value.refused) == ("port is taken", True)


async def test_readiness_is_asked_of_the_child_that_was_started(tmp_path: Path) -> None:
    asked: set[int] = set()

    async def ready(pid: int) -> bool:
        asked.add(pid)
        return len(starts_of()) > 0

    def starts_of() -> list[int]:
        said = tmp_path / "said"
        return [int(line) for line in said.read_text().split()] if said.is_file() else []

    code = "import os,pathlib,sys,time; pathlib.Path(sys.argv[1]).write_text(f'{os.getpid()}\\n'); time.sleep(60)"
    supervisor = Supervisor(print)
    await supervisor.start(replace(part(tmp_path, code), ready=ready))
    await supervisor.stop(("child",))
    assert asked == set(starts_of())


async def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    log.parent.mkdir()
    with log.open("wb") as file:
        file.truncate(LOG_BYTES + 1)
    supervisor = Supervisor(print)
    await supervisor.start(part(tmp_path, READY + "time.sleep(60)"))
    await supervisor.stop(("child",))
    assert log.stat().st_size < 1000
    assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES + 1


async def test_a_part_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    with pytest.raises(StartFailed, match=r"not ready within 0\.3 s"):
        await supervisor.start(part(tmp_path, "import time; time.sleep(60)", ready_within_s=0.3))
    await supervisor.stop(("child",))


async def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "time.sleep(60)"
    await supervisor.start(part(tmp_path, deaf, stop_within_s=0.3))
    async with asyncio.timeout(10):
        await supervisor.stop(("child",))


async def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """Linux: nothing is left behind by kill -9 of the supervisor."""
    pid_file = tmp_path / "pid"
    child = (
        f"import os,pathlib,time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())+chr(10)); time.sleep(60)"
    )
    code = (
        "import subprocess,sys,time; from sidecar.supervisor import die_with_parent; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}], preexec_fn=die_with_parent); time.sleep(60)"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    async with asyncio.timeout(20):
        while not (pid_file.is_file() and pid_file.read_text().endswith("\n")):
            await asyncio.sleep(0.02)
    pid = int(pid_file.read_text())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("deaths", "wait_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 15.0), (20, 15.0)], ids=str)
def test_waits_double_up_to_a_bound(deaths: int, wait_s: float) -> None:
    assert restart_after_s(deaths) == wait_s


async def test_a_signal_is_passed_on_to_its_part_only(tmp_path: Path) -> None:
    code = "import pathlib, signal, sys\ntold = pathlib.Path(sys.argv[1]).with_name('told')\n"
    code += "signal.signal(signal.SIGHUP, lambda *_: told.touch())\n"
    supervisor = Supervisor(print)
    await supervisor.start(part(tmp_path, code + READY + "\nwhile True: time.sleep(0.05)"))
    supervisor.tell("nobody", signal.SIGHUP)
    supervisor.tell("child", signal.SIGHUP)
    async with asyncio.timeout(10):
        while not (tmp_path / "told").exists():
            await asyncio.sleep(0.02)
    await supervisor.stop(("child",))
    supervisor.tell("child", signal.SIGHUP)

"""What goes wrong around real processes: each time the right words, nothing lost, and one row a call afterwards."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sidecar.journal import Position, Tail, sidecars
from taximeter import AsyncClient, Client, TaximeterError, errors
from tests.support import hostile as on
from tests.support.books import booked
from tests.support.hostile import Exchange, hostile
from tests.support.stack import Stack, stack, until

pytestmark = pytest.mark.timeout(120)


def marker(number: int) -> str:
    return f"marker {number:08x}-0000-4000-8000-000000000000"


def make_calls(running: Stack, count: int, first: int = 0) -> list[str]:
    """So many good calls; their ids."""
    with Client(running.address, timeout=20) as client:
        answers = [client.chat(marker(first + n), provider="loop", model="plain") for n in range(count)]
    return [answer.metering.call_id for answer in answers]


def ids(rows: list[dict[str, Any]], status: str = "ok") -> list[str]:
    return [row["call_id"] for row in rows if row["status"] == status]


# ---- providers --------------------------------------------------------------


async def truncated(exchange: Exchange) -> None:
    """Half of an answer, whole by its length, and then a break."""
    await exchange.head(200, {"content-type": "application/json", "content-length": "1000"})
    await exchange.send(b'{"id": "c1", "choices": [{"index": 0, "mess')
    exchange.cut()


BAD = {
    # name: what it does, is it streamed, reason, words, error_type of the row
    "resets": (on.reset, False, "ALL_ATTEMPTS_FAILED", "connection reset", "connection_reset"),
    "hangs": (on.silence, False, "ALL_ATTEMPTS_FAILED", "response timeout", "response_timeout"),
    "hangsstream": (on.breaking(0, on.silence), True, "ALL_ATTEMPTS_FAILED", "ttft timeout", "ttft_timeout"),
    "stalls": (on.breaking(3, on.silence), True, "STREAM_BROKEN", "stream stalled", "stream_stalled"),
    "truncates": (truncated, False, "ALL_ATTEMPTS_FAILED", "stream cut", "stream_cut"),
    "cuts": (on.breaking(3, on.reset), True, "STREAM_BROKEN", "stream cut", "stream_cut"),
    "endsearly": (on.breaking(3, on.quiet_end), True, "STREAM_BROKEN", "stream cut", "stream_cut"),
    "garbage": (on.status(200, b"\x00\xff<html>"), False, "ALL_ATTEMPTS_FAILED", "garbled", "garbled"),
    "garbagestream": (on.events(b"\x00\xff<html>"), True, "ALL_ATTEMPTS_FAILED", "", ""),
    "huge": (on.huge(), False, "ALL_ATTEMPTS_FAILED", "answer too large", "answer_too_large"),
}


def resident_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def provoke(client: AsyncClient, name: str, *, streamed: bool) -> None:
    if streamed:
        async for _ in client.stream("hello", provider=name, model="m"):
            pass
    else:
        await client.chat("hello", provider=name, model="m")


async def test_providers_that_misbehave() -> None:
    """Every way of it in one sidecar: the right error, a row that says the same, and good calls after it."""
    async with AsyncExitStack() as providers:
        with stack(TAXIMETER_TIME_SCALE="0.05", AI_MAX_RETRIES="0") as running:
            running.provider()
            for name, (act, *_) in BAD.items():
                provider = await providers.enter_async_context(hostile(act))
                running.env |= {f"AI_{name.upper()}_URL": provider.base_url, f"AI_{name.upper()}_KEY": f"sk-{name}"}
                running.env[f"AI_{name.upper()}_SMART"] = "m"
            sidecar = running.sidecar()
            met: dict[str, TaximeterError] = {}
            async with AsyncClient(running.address, timeout=30) as client:
                for name, (_, streamed, *_) in BAD.items():
                    with pytest.raises(TaximeterError) as told:
                        await provoke(client, name, streamed=streamed)
                    met[name] = told.value
                good = (await client.chat(marker(1), provider="loop", model="plain")).metering.call_id
            assert resident_mib(sidecar.popen.pid) < 300
            assert "Traceback" not in sidecar.said()
            running.bookkeeper()
            rows = {row["call_id"]: row for row in booked(running)}
    assert rows.pop(good)["status"] == "ok"
    assert set(rows) == {error.call_id for error in met.values()}
    for name, (_, streamed, reason, words, error_type) in BAD.items():
        error, row = met[name], rows[met[name].call_id]
        assert error.reason == reason, name
        assert words in error.message, name
        assert error_type in ("", row["error_type"]), name
        assert (row["status"], row["attempts"], row["streamed"]) == ("error", 1, streamed), name


# ---- the bookkeeper ---------------------------------------------------------


def test_calls_go_on_while_the_bookkeeper_is_down() -> None:
    with stack() as running:
        running.provider()
        running.sidecar()
        made = make_calls(running, 10)
        with Client(running.address, timeout=10) as client:
            with pytest.raises(errors.LedgerUnavailable, match="start it with `taximeter bookkeeper`"):
                client.usage()
            bookkeeper = running.bookkeeper()
            assert ids(booked(running)) == made
            until(lambda: answers(client), "the sidecar finds the bookkeeper", 5)
            assert client.usage().total.calls == 10
            bookkeeper.kill()
            with pytest.raises(errors.LedgerUnavailable):
                client.get_call(made[0])
            made += make_calls(running, 10, first=10)
            running.bookkeeper()
            assert ids(booked(running)) == made
            until(lambda: answers(client), "the sidecar finds the bookkeeper", 5)
            assert client.get_call(made[-1]).status == "ok"
            assert client.usage().total.calls == 20


def answers(client: Client) -> bool:
    try:
        client.usage()
    except errors.LedgerUnavailable:
        return False
    return True


def test_a_ledger_from_a_newer_version_is_left_alone() -> None:
    """The bookkeeper says what to do and touches nothing; the sidecar serves on; back to order, all is booked."""
    with stack() as running:
        running.provider()
        running.sidecar()
        bookkeeper = running.bookkeeper()
        made = make_calls(running, 5)
        booked(running)
        assert bookkeeper.stop() == 0
        write_version(running, "INSERT INTO schema_version VALUES (999, 'from the future', now()::TIMESTAMP)")
        refused = running.run("refused", "sidecar", "bookkeeper")
        assert refused.popen.wait(20) == 2
        said = refused.said()
        assert "schema version 999" in said
        assert "Install the newer Taximeter again" in said
        assert "taximeter restore" in said
        assert "Traceback" not in said
        made += make_calls(running, 5, first=5)
        write_version(running, "DELETE FROM schema_version WHERE version = 999")
        running.bookkeeper()
        assert ids(booked(running)) == made


def write_version(running: Stack, sql: str) -> None:
    with closing(duckdb.connect(running.home / "ledger.duckdb")) as connection:
        connection.execute(sql)


# ---- the disk ---------------------------------------------------------------


@contextmanager
def small_disk(running: Stack, size: str) -> Iterator[Path]:
    """The stack's home on a file system of its own; skips loudly where none can be mounted."""
    running.home.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", running.home], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"FULL DISK NOT TESTED, cannot mount one here: {mounted.stderr.decode().strip()}")
    try:
        yield running.home
    finally:
        running.end()
        subprocess.run(["umount", running.home], check=True)


def fill(home: Path) -> Path:
    """A file that takes all room there is."""
    path = home / "filler"
    with path.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            return path


def test_a_full_disk_is_met_before_money_is_spent() -> None:
    with stack(TAXIMETER_JOURNAL_SEGMENT="256KiB") as running, small_disk(running, "48m") as home:
        running.provider()
        sidecar = running.sidecar()
        made = make_calls(running, 3)
        filler = fill(home)
        made += until_full(running, first=3)
        asked = len(running.markers())
        assert asked == len(made)
        with Client(running.address, timeout=10) as client:
            for _ in range(5):
                with pytest.raises(errors.SidecarUnavailable, match="nothing was sent to a provider") as told:
                    client.chat(marker(asked), provider="loop", model="plain")
                assert (told.value.code, told.value.reason) == ("RESOURCE_EXHAUSTED", "JOURNAL_FULL")
        assert len(running.markers()) == asked
        filler.unlink()
        made += make_calls(running, 3, first=asked)
        assert sidecar.popen.poll() is None
        running.bookkeeper()
        rows = booked(running)
        assert ids(rows) == made
        assert len(rows) == len(made) == len(running.markers())
        assert sidecar.stop() == 0


def until_full(running: Stack, first: int) -> list[str]:
    """Calls until one is refused; the ids of the good ones."""
    made: list[str] = []
    with Client(running.address, timeout=10) as client:
        while len(made) < 5000:
            try:
                answer = client.chat(marker(first + len(made)), provider="loop", model="plain")
            except errors.SidecarUnavailable:
                return made
            made.append(answer.metering.call_id)
    raise AssertionError("the disk never filled up")


# ---- the journal's tail -----------------------------------------------------


def newest(running: Stack) -> tuple[Path, int, int]:
    """The newest segment; where in it the last finished call's frame begins, and where the written part ends."""
    (sidecar_id,) = sidecars(running.home / "journal")
    own = running.home / "journal" / sidecar_id
    tail, begins, before = Tail(own, Position(0, 0)), 0, 0
    while entries := tail.read():
        for entry in entries:
            if entry.frame.HasField("finished"):
                begins = before
            before = entry.position.offset
    return own / f"{tail.position.segment:010d}.journal", begins, tail.position.offset


def write_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def garbage_behind(path: Path, begins: int, ends: int) -> None:
    write_at(path, ends, bytes(range(256)) * 8)


def half_a_frame_behind(path: Path, begins: int, ends: int) -> None:
    frame = path.read_bytes()[begins:ends]
    write_at(path, ends, frame[: len(frame) // 2])


def flipped(path: Path, begins: int, ends: int) -> None:
    byte = path.read_bytes()[begins + 40]
    write_at(path, begins + 40, bytes([byte ^ 0x40]))


def cut_off(path: Path, begins: int, ends: int) -> None:
    with path.open("r+b") as file:
        file.truncate(begins + 40)


@pytest.mark.parametrize(
    ("spoil", "orderly", "lost"),
    [
        pytest.param(garbage_behind, True, 0, id="garbage-behind-an-orderly-end"),
        pytest.param(garbage_behind, False, 0, id="garbage-behind-a-kill"),
        pytest.param(half_a_frame_behind, False, 0, id="half-a-frame"),
        pytest.param(flipped, False, 1, id="a-flipped-bit-in-the-last-call"),
        pytest.param(cut_off, False, 1, id="the-last-call-cut-off"),
    ],
)
def test_a_corrupt_tail_costs_nothing_else(spoil: Callable[[Path, int, int], None], orderly: bool, lost: int) -> None:
    """The damaged entry's call is told as abandoned; all before and after it stand as they were."""
    with stack() as running:
        running.provider()
        sidecar = running.sidecar()
        made = make_calls(running, 8)
        if orderly:
            assert sidecar.stop() == 0
        else:
            sidecar.kill()
        spoil(*newest(running))
        again = running.sidecar()
        after = make_calls(running, 4, first=8)
        running.bookkeeper()
        rows = booked(running)
        assert ids(rows) == made[: len(made) - lost] + after
        assert ids(rows, "abandoned") == made[len(made) - lost :]
        assert len(rows) == 12
        assert again.stop() == 0


# ---- requests ---------------------------------------------------------------


async def unknown(client: AsyncClient) -> Any:
    return await client.chat("x", alias="smrat")


async def malformed(client: AsyncClient) -> Any:
    return await client.chat("", alias="smart", temperature=float("nan"))


async def oversized(client: AsyncClient) -> Any:
    return await client.chat("x" * (17 << 20), alias="smart")


async def late(client: AsyncClient) -> Any:
    return await client.chat("x", provider="loop", model="slow-2000", timeout=0.001)


async def test_requests_that_cannot_be_served() -> None:
    with stack() as running:
        running.provider()
        running.sidecar()
        asked: dict[str, Callable[[AsyncClient], Awaitable[Any]]] = {
            "UNKNOWN_ALIAS": unknown, "INVALID_REQUEST": malformed, "MESSAGE_TOO_LARGE": oversized, "late": late,
        }  # fmt: skip
        met: dict[str, TaximeterError] = {}
        async with AsyncClient(running.address, timeout=20) as client:
            for name, ask in asked.items():
                with pytest.raises(TaximeterError) as told:
                    await ask(client)
                met[name] = told.value
            await client.chat(marker(1), alias="smart")
        running.bookkeeper()
        until(lambda: len(booked(running)) >= 3, "every call is booked")
        rows = booked(running)
    assert "Did you mean 'smart'?" in met["UNKNOWN_ALIAS"].message
    assert [path for path, _ in met["INVALID_REQUEST"].violations] == ["call.chat.messages", "call.chat.temperature"]
    assert "TAXIMETER_MAX_MESSAGE" in met["MESSAGE_TOO_LARGE"].message
    assert isinstance(met["late"], errors.DeadlineExceeded)
    told_rows = Counter((row["status"], row["error_type"]) for row in rows)
    late_rows = told_rows.pop(("cancelled", "deadline_exceeded"), 0)  # none if it came too late to begin
    assert late_rows <= 1
    assert told_rows == {("refused", "unknown_alias"): 1, ("refused", "invalid_request"): 1, ("ok", ""): 1}

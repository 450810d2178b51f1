"""Bookkeepers of a stack's home that are killed: before a statement of their own, or at a moment of chance."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

import grpc

from sidecar.bookkeeper.periods_service import ACTOR_KEY
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from taximeter.v1 import billing_pb2, billing_pb2_grpc
from tests.support.bookkeeper_victim import __name__ as victim
from tests.support.stack import Process, Stack

KILLED = -9
_RPC_S = 20.0


def doomed(stack: Stack, *before: str) -> Process:
    """`before`: as tests.support.bookkeeper_victim takes it; without, it lives until somebody else kills it."""
    return stack.run("bookkeeper", victim, *before)


def close_period(stack: Stack, month: str) -> bool:
    """Asks the bookkeeper to close it. False: it refused, or died of it, or there is none."""
    with _channel(stack) as channel:
        billing = billing_pb2_grpc.BillingServiceStub(channel)
        try:
            asked = billing_pb2.ClosePeriodRequest(month=month, force=True)
            billing.ClosePeriod(asked, metadata=((ACTOR_KEY, "test"),), timeout=_RPC_S)
        except grpc.RpcError:
            return False
        return True


def settled(stack: Stack, until: str, calls: int) -> bool:
    """Whether all is booked, summed up until that day (as text), and no more than so many calls have rows."""
    with _channel(stack) as channel:
        books = ledger_pb2_grpc.LedgerServiceStub(channel)
        try:
            status = books.GetStatus(ledger_pb2.GetStatusRequest(), timeout=_RPC_S)
        except grpc.RpcError:
            return False
    return not status.backlog_bytes and status.rolled_until >= until and status.calls == calls


def ended_whole(stack: Stack, months: Sequence[str], until: str, calls: int, before: Sequence[str] = ()) -> bool:
    """Runs a bookkeeper until these months are closed and it is `settled`. False: it was killed before."""
    process = doomed(stack, *before)
    while process.popen.poll() is None:
        for month in months:
            close_period(stack, month)
        if settled(stack, until, calls):
            return process.stop() == 0
        time.sleep(0.02)
    assert process.popen.returncode == KILLED, process.said()
    return False


class Killer:
    """Kills bookkeepers at any moment, in the midst of a write, or while they end."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self.killed: Counter[str] = Counter()
        self._stack = stack
        self._wal = stack.home / "ledger.duckdb.wal"
        self._chance = chance

    def kill_one(self, months: Sequence[str]) -> None:
        """While somebody tries to have these months closed."""
        process = doomed(self._stack)
        asking = threading.Thread(target=self._ask, args=(process, months))
        asking.start()
        moment = self._chance.choice((self._at_any_moment, self._writing, self._ending))
        moment(process)
        process.kill()
        asking.join()
        self.killed[moment.__name__.strip("_")] += 1

    def _ask(self, process: Process, months: Sequence[str]) -> None:
        while months and process.popen.poll() is None:
            for month in months:
                close_period(self._stack, month)
            time.sleep(0.05)

    def _at_any_moment(self, _: Process) -> None:
        time.sleep(self._chance.uniform(0.5, 3.0))

    def _writing(self, _: Process) -> None:
        """As soon as its log has grown that often."""
        size = grown = 0
        often, end_s = self._chance.randrange(1, 30), time.monotonic() + 5
        while grown < often and time.monotonic() < end_s:
            found = self._wal.stat().st_size if self._wal.exists() else 0
            grown += found > size
            size = found
            time.sleep(0.0005)

    def _ending(self, process: Process) -> None:
        """While it folds its log into the file."""
        self._at_any_moment(process)
        process.popen.terminate()
        time.sleep(self._chance.uniform(0.0, 0.2))


def _channel(stack: Stack) -> grpc.Channel:
    return grpc.insecure_channel(f"unix:{stack.home / 'bookkeeper.sock'}")

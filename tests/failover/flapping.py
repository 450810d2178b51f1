"""A primary that is down for a minute and then healthy, called all the time."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from taximeter.errors import TaximeterError
from taximeter.v1 import invocation_pb2 as pb
from tests.failover.rows import FALLBACK, GOOD
from tests.failover.table import SCALE, Mode
from tests.failover.waits import timeouts
from tests.support.fares import Fares, Told, account, chain
from tests.support.hostile import Exchange, Hostile, House, status

FLAPPING = "a primary that flaps"
DOWN_S, WATCHED_S, EVERY_S = 60.0, 100.0, 4.0


@dataclass(frozen=True)
class Ride:
    """One of its calls. Seconds since the first one, unscaled."""

    at_s: float
    served_by: str
    """The account; empty if the call failed."""
    tried: str
    ended_s: float
    failed: str = ""
    """How it ended, if it was not served."""


@dataclass
class Flap:
    """Calls of one mode, one every EVERY_S. Times are unscaled."""

    mode: Mode
    rides: list[Ride] = field(default_factory=list)
    began: float = 0.0
    primary: Hostile = field(default_factory=lambda: Hostile(()))

    @property
    def name(self) -> str:
        return f"flap{list(Mode).index(self.mode)}"

    @property
    def accounts(self) -> tuple[str, str]:
        return f"{self.name}a", f"{self.name}b"

    @property
    def back_at_s(self) -> float:
        """When the primary served again."""
        return min((ride.ended_s for ride in self.rides if ride.served_by == self.accounts[0]), default=float("inf"))

    @property
    def asked_while_down(self) -> int:
        return sum((hit - self.began) / SCALE < DOWN_S for hit in self.primary.hits)

    def configured(self, made: House) -> Iterable[str]:
        """Its part of taximeter.toml."""
        self.primary = made.stage(self.accounts[0], self._flapping)
        self.primary.probed = self._flapping
        stages = self.primary, made.stage(self.accounts[1], FALLBACK)
        for name, stage in zip(self.accounts, stages, strict=True):
            yield account(name, "openai", stage.base_url, timeouts=timeouts())
        yield chain(self.name, *((name, "gpt-4o-mini") for name in self.accounts))

    async def ride(self, asked: Fares) -> None:
        """Calls, each in its time, however long the one before takes."""
        self.began = time.monotonic()
        rides = []
        for number in range(round(WATCHED_S / EVERY_S)):
            await asyncio.sleep(self.began + number * EVERY_S * SCALE - time.monotonic())
            rides.append(asyncio.ensure_future(self._call(asked)))
        self.rides = list(await asyncio.gather(*rides))

    async def _flapping(self, exchange: Exchange) -> None:
        down = self._now_s() < DOWN_S
        await (status(503) if down else GOOD)(exchange)

    async def _call(self, asked: Fares) -> Ride:
        at_s = self._now_s()
        spec = pb.CallSpec(alias=self.name, request_id=str(uuid.uuid4()))
        spec.chat.prompt = "Are you there?"
        failed = ""
        try:
            if self.mode.streamed:
                spec.stream_recovery = pb.StreamRecovery.Value(self.mode.recovery)
                async with asked.client.invoke_stream(spec, timeout=30) as stream:
                    async for _ in stream:
                        pass
                told = stream.metering
            else:
                told = (await asked.client.invoke(spec, timeout=30)).metering
        except TaximeterError as error:
            told, failed = error.metering, str(error)
        asked.told[f"{self.name}/{at_s}"] = Told(spec.request_id, metering=told)
        assert told is not None
        tried = "".join(attempt.provider[-1] for attempt in told.attempts)
        return Ride(at_s, told.provider, tried, self._now_s(), failed)

    def _now_s(self) -> float:
        return (time.monotonic() - self.began) / SCALE


def flaps() -> Sequence[Flap]:
    return [Flap(mode) for mode in Mode]

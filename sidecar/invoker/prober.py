"""Probes: questions to providers that are no calls. They cost nothing, leave no record, and are counted.

A provider that is out of service is asked every `interval_s` whether it is back, with or without traffic. What an
answer means is decided in `Health.answered_probe`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.core.catalog import SYSTEM_TIMEOUTS, Account, Catalog, Key
from sidecar.core.clock import Clock
from sidecar.core.faults import Fault, ResponseTimeout
from sidecar.health import Health, Recheck
from sidecar.health.recheck import Place
from sidecar.providers import probe
from sidecar.providers.transport import Transport
from sidecar.providers.wire import HttpRequest, HttpResponse, Wire

ANSWER_S = 10.0
LEAST_ANSWER_S = 1.0
"""However times are scaled."""
MAX_BYTES = 8 * 1024 * 1024
LOOKS, LOOK_S = 4, 1.0
"""How often within an interval, or at least, it is looked who is due."""
MAX_TALLIES = 4096
UNUSABLE, NOT_SUPPORTED = "unusable", "not_supported"
NOT_ASKED = (UNUSABLE, NOT_SUPPORTED)
"""Nothing was sent."""
_NO_KEY = Key("", "")


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe."""

    ok: bool
    """It is there, and does not object to the key."""
    error_type: str = ""
    """As in an attempt; "unusable", "not_supported": nothing was asked."""
    message: str = ""
    """For people: the provider's own words, the key masked."""
    took_s: float = 0.0
    models: tuple[str, ...] = ()
    at_ns: int = 0
    """UTC."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one provider, since the start."""

    sent: int = 0
    failed: int = 0
    last: Probed | None = None


class Prober:
    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog],
        own: Callable[[], Iterable[Account]] = tuple,
        wires: Callable[[str], Wire],
        transport: Transport,
        health: Health,
        clock: Clock,
        random: Callable[[], float],
        log: Any,
    ) -> None:
        """`catalog`: the operator's; `own`: the accounts that workspaces in use have themselves."""
        self._catalog = catalog
        self._own = own
        self._wires = wires
        self._transport = transport
        self._health = health
        self._clock = clock
        self._recheck = Recheck(random)
        self._log = log
        self._tallies: dict[Place, Tally] = {}
        self._under_way: dict[asyncio.Task[Probed], Account] = {}

    def tally(self, provider: str, owner: str = "") -> Tally:
        return self._tallies.get((owner, provider), _NONE)

    async def probe(self, account: Account) -> Probed:
        """Asks now. Whoever asks meanwhile gets the same answer, unless a reload has changed the account."""
        return await asyncio.shield(self._started(account))

    async def keep_probing(self, interval_s: Callable[[], float]) -> None:
        """Until cancelled. `interval_s` may change at any time; 0: nobody is asked."""
        while True:
            every_s = interval_s() * self._catalog().time_scale
            await asyncio.sleep(min(every_s / LOOKS, LOOK_S) or LOOK_S)
            if not every_s:
                continue
            accounts = self._accounts()
            for place in self._recheck.due(self._troubled(accounts), every_s, self._clock.monotonic_s()):
                self._started(accounts[place])

    async def close(self) -> None:
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accounts(self) -> dict[Place, Account]:
        """All that are in force."""
        return {_place(account): account for account in (*self._catalog().accounts.values(), *self._own())}

    def _troubled(self, accounts: Mapping[Place, Account]) -> dict[Place, bool]:
        """Who is out of service, and whether calls are kept from it at this moment."""
        open_at = self._health.open_at()
        found = {}
        for place, account in accounts.items():
            urgent = place in open_at or any(self._health.key_aside(key.key_id) for key in account.keys)
            last = self._tallies.get(place, _NONE).last
            if account.usable and (urgent or (last is not None and not last.ok)):
                found[place] = urgent
        return found

    def _started(self, account: Account) -> asyncio.Task[Probed]:
        found = next((task for task, asked in self._under_way.items() if asked == account), None)
        if found is None:
            found = asyncio.create_task(self._probed(account))
            self._under_way[found] = account
            found.add_done_callback(self._under_way.pop)
        return found

    async def _probed(self, account: Account) -> Probed:
        """With each key that is aside; if none is, with the first."""
        aside = [key for key in account.keys if self._health.key_aside(key.key_id)]
        probed = [await self._asked(account, key) for key in aside or account.keys[:1] or (_NO_KEY,)]
        worst = next((each for each in probed if not each.ok), probed[0])
        in_force = self._accounts().get(_place(account))
        if in_force is not None and _door(in_force) == _door(account) and worst.error_type not in NOT_ASKED:
            self._count(_place(account), worst, len(probed))
        return worst

    def _count(self, place: Place, probed: Probed, sent: int) -> None:
        owner, name = place
        before = self.tally(name, owner)
        if place not in self._tallies and len(self._tallies) >= MAX_TALLIES:
            del self._tallies[next(iter(self._tallies))]
        self._tallies[place] = Tally(before.sent + sent, before.failed + (not probed.ok), probed)
        self._recheck.answered(place, ok=probed.ok)
        news = before.last is None or before.last.ok != probed.ok
        tell = self._log.info if news else self._log.debug
        tell("probed", provider=name, ok=probed.ok, error=probed.error_type, **({"workspace": owner} if owner else {}))
        self._health.changed()

    async def _asked(self, account: Account, key: Key) -> Probed:
        began_ns, at_ns = self._clock.monotonic_ns(), self._clock.wall_ns()

        def probed(error_type: str = "", message: str = "", models: tuple[str, ...] = ()) -> Probed:
            took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
            return Probed(not error_type, error_type, key.hidden_in(message), took_s, models, at_ns)

        if account.unusable:
            return probed(UNUSABLE, account.unusable)
        try:
            wire = self._wires(account.wire)
        except LookupError as missing:
            return probed(UNUSABLE, str(missing))
        request = probe.request(account, wire, key.secret)
        if request is None:
            return probed(NOT_SUPPORTED, f"{account.display or account.name} has no question that costs nothing")
        try:
            response = await sent(self._transport, request, account, self._catalog().time_scale)
        except Fault as fault:
            return probed(fault.error_type, fault.message)
        verdict = probe.judged(response, wire)
        if verdict.alive:
            self._health.answered_probe(account.name, key.key_id, accepted=verdict.accepted, owner=account.owner)
        return probed(verdict.error_type, verdict.message, verdict.models)


async def sent(transport: Transport, request: HttpRequest, account: Account, time_scale: float) -> HttpResponse:
    """The answer to a question that costs nothing, with its waits bounded. Raises Fault."""
    connect_s = (account.timeouts.connect_s or SYSTEM_TIMEOUTS.connect_s or 0.0) * time_scale
    answer_s = max(ANSWER_S * time_scale, LEAST_ANSWER_S)
    try:
        async with asyncio.timeout(answer_s):
            return await transport.send(request, connect_s=connect_s, max_bytes=MAX_BYTES)
    except TimeoutError:
        raise ResponseTimeout(f"no answer within {answer_s:g} s") from None


def _place(account: Account) -> Place:
    return account.owner, account.name


def _door(account: Account) -> tuple[object, ...]:
    """What a probe is about."""
    return account.wire, account.base_url, account.keys, account.options, account.unusable


_NONE = Tally()

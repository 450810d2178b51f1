"""Holds one exchange against its recording: what we sent, and what we made of the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.conformance.drive import Driver
from tests.conformance.families import family_of
from tests.conformance.outcome import Outcome, misses, rounded
from tests.support.providers_replay import Exchange, Replay


@dataclass(frozen=True)
class Verdict:
    exchange: Exchange
    misses: tuple[str, ...]
    through_options: tuple[str, ...]
    """Recorded fields that our API has no name for, and that went through `provider_options`."""

    @property
    def unexplained(self) -> list[str]:
        family = family_of(self.exchange)
        return [miss for miss in self.misses if not family.why(self.exchange, miss)]


async def check(exchange: Exchange, driver: Driver, replay: Replay) -> Verdict:
    """A recording that cannot be asked again or read breaks nothing else: that is its miss."""
    try:
        return await _check(exchange, driver, replay)
    except Exception as error:  # noqa: BLE001 - see above
        return Verdict(exchange, (f"broke: {error!r:.300}",), ())


async def _check(exchange: Exchange, driver: Driver, replay: Replay) -> Verdict:
    family = family_of(exchange)
    request, through_options = family.translate(exchange)
    found = rounded(await driver(exchange, request, replay))
    wanted = rounded(_told_under(found, exchange, family.expected(exchange)))
    wrong = misses(wanted, found)
    if exchange.sent is not None:
        wrong += family.sent_misses(exchange, *replay.seen[exchange.id])
    return Verdict(exchange, tuple(wrong), tuple(through_options))


def _told_under(found: Outcome, exchange: Exchange, wanted: Outcome) -> Outcome:
    """A stream's error event names a status of its own; an attempt's record has the one that the answer began with."""
    if wanted.error and found.error and found.error[0] == exchange.status:
        return replace(wanted, error=(exchange.status, *wanted.error[1:]))
    return wanted

"""Takes alerts to the webhook: a thread of its own, so that a receiver that sleeps holds up nothing else.

At least once, always under the alert's own id. A try that fails is made again later, for a day.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sidecar.bookkeeper import webhook
from sidecar.bookkeeper.deliveries import Deliveries, Waiting
from sidecar.bookkeeper.ledger_connection import LedgerFault
from sidecar.bookkeeper.webhook import Outcome
from sidecar.core.clock import Clock

PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
"""After the first try, the second ...; the last one again and again. Each a fifth longer or shorter, by chance."""
GIVE_UP_S = 86_400.0
"""After the alert."""
_NS = 10**9
_LEDGER_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Receiver:
    url: str
    secret: str

    def take(self, each: Waiting, at_ns: int) -> Outcome:
        content = webhook.body(each.alert)
        told = webhook.headers(each.alert.alert_id, content, self.secret, at_ns // _NS)
        return webhook.post(self.url, content, told)


class Courier:
    """`start` it, `wake` it when there may be something to take, `end` it."""

    def __init__(
        self,
        deliveries: Deliveries,
        take: Callable[[Waiting, int], Outcome],
        log: Any,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`take` makes one try, at a UTC time in ns."""
        self._deliveries = deliveries
        self._take = take
        self._log = log
        self._clock = clock
        self._chance = chance
        self._woken = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def end(self, timeout_s: float) -> None:
        """What is not taken by now is taken after the next start."""
        self._ending = True
        self._woken.set()
        self._thread.join(timeout_s)

    def turn(self) -> float | None:
        """Takes all that is due; seconds to when the next is, None if none waits. Raises LedgerFault."""
        for each in self._deliveries.waiting():
            if self._ending:
                return None
            if each.next_try_ns <= self._clock.wall_ns():
                self._try(each)
        now_ns = self._clock.wall_ns()
        left_s = [(each.next_try_ns - now_ns) / _NS for each in self._deliveries.waiting()]
        return max(min(left_s), 0.0) if left_s else None

    def _try(self, each: Waiting) -> None:
        now_ns, until_ns = self._clock.wall_ns(), each.at_ns + int(GIVE_UP_S * _NS)
        if now_ns >= until_ns:
            self._give_up(each, each.tries, "not taken within a day")
            return
        outcome = self._take(each, now_ns)
        if outcome.delivered:
            self._deliveries.delivered(each, self._clock.wall_ns())
            self._log.info("alert_delivered", alert_id=each.alert.alert_id, tries=each.tries + 1)
        elif outcome.gone:
            self._give_up(each, each.tries + 1, f"{outcome.error}: the receiver wants no more")
        else:
            pause_s = max(self._pause_s(each.tries), min(outcome.retry_after_s, PAUSES_S[-1]))
            self._deliveries.failed(each, outcome.error, min(now_ns + int(pause_s * _NS), until_ns))
            self._log.warning(
                "alert_not_taken", alert_id=each.alert.alert_id, error=outcome.error, again_s=round(pause_s)
            )

    def _give_up(self, each: Waiting, tries: int, why: str) -> None:
        self._deliveries.given_up(each, why, self._clock.wall_ns(), tries)
        self._log.error("alert_given_up", alert_id=each.alert.alert_id, tries=tries, error=why)

    def _pause_s(self, tries: int) -> float:
        return PAUSES_S[min(tries, len(PAUSES_S) - 1)] * (0.8 + 0.4 * self._chance())

    def _run(self) -> None:
        while not self._ending:
            wait_s = self._guarded_turn()
            self._woken.wait(wait_s)
            self._woken.clear()

    def _guarded_turn(self) -> float | None:
        try:
            return self.turn()
        except LedgerFault as error:
            self._log.warning("alerts_wait", error=str(error))
        except Exception as error:  # noqa: BLE001 - the webhook may fail; the books go on
            self._log.error("webhook_failed", error=type(error).__name__)
        return _LEDGER_PAUSE_S

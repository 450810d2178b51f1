"""Alerts taken to a webhook: signed as the specification says, tried again for a day, and never lost by a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sidecar.bookkeeper import webhook
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.courier import Courier
from sidecar.bookkeeper.courier import Receiver as Sender
from sidecar.bookkeeper.deliveries import Deliveries
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerFault
from sidecar.bookkeeper.webhook import Outcome
from sidecar.core.clock import Clock
from tests.support.budget_books import AT_NS, DAY_NS, alerted
from tests.support.ledger import SIDECAR, rows
from tests.support.ledger_journal import Log
from tests.support.webhooks import SECRET, Receiver, receiver

S = 10**9
STATE = "SELECT alert_id, delivery, delivery_tries, delivery_error FROM ai_budget_alerts ORDER BY 1"


class Now:
    """A clock that stands until it is set, and what was said by it."""

    def __init__(self) -> None:
        self.ns = AT_NS
        self.clock = Clock(wall_ns=lambda: self.ns)
        self.log = Log()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver() as told:
        yield told


def book(ledger: Ledger, *names: str) -> None:
    at = ledger.standings()[SIDECAR].at if ledger.standings() else (0, 0)
    ledger.book(fold(SIDECAR, at, (at[0], at[1] + 1), [alerted(name) for name in names]))


def courier(ledger: Ledger, inbox: Receiver, now: Now) -> Courier:
    """Without chance: pauses are as long as they are written."""
    return Courier(Deliveries(ledger), Sender(inbox.url, SECRET).take, now.log, now.clock, lambda: 0.5)


def test_the_specifications_own_example_comes_out() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/php/tests/WebhookTest.php"""
    signed = webhook.signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_sent_is_what_the_docs_say(ledger: Ledger, inbox: Receiver, now: Now) -> None:
    book(ledger, "b1:1:soft")
    now.ns = AT_NS + 2 * S
    courier(ledger, inbox, now).turn()
    (got,) = inbox.got
    assert got.json == {
        "type": "budget.alert.soft",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "data": {
            "alert_id": "b1:1:soft",
            "budget_id": "b1",
            "name": "january",
            "workspace": "acme",
            "scope": "workspace",
            "subject": "",
            "threshold": "soft",
            "unit": "usd",
            "limit": "100",
            "spent": "80",
            "window_start": "2026-01-01T00:00:00.000000Z",
            "window_end": "2026-02-01T00:00:00.000000Z",
            "call_id": "01JCALL",
        },
    }
    wanted = {"webhook-id": "b1:1:soft", "webhook-timestamp": str(AT_NS // S + 2), "content-type": "application/json"}
    assert {name: got.headers[name] for name in wanted} == wanted
    assert got.is_signed()


def test_one_that_was_taken_is_not_sent_again(ledger: Ledger, inbox: Receiver, now: Now) -> None:
    book(ledger, "a", "b")
    sender = courier(ledger, inbox, now)
    assert [sender.turn(), sender.turn()] == [None, None]
    assert inbox.ids == ["a", "b"]
    assert rows(ledger, STATE) == [("a", "delivered", 1, ""), ("b", "delivered", 1, "")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(500, "http 500", id="server error"),
        pytest.param(404, "http 404", id="not found"),
        pytest.param(302, "http 302", id="a redirect is not followed"),
        pytest.param(0, "no answer: RemoteDisconnected", id="hung up"),
    ],
)
def test_one_that_was_not_taken_is_sent_again_later_under_its_id(
    ledger: Ledger, inbox: Receiver, now: Now, answer: int, why: str
) -> None:
    book(ledger, "a")
    inbox.answers, inbox.extra = [answer], {"location": inbox.url}
    sender = courier(ledger, inbox, now)
    assert sender.turn() == 5.0
    assert rows(ledger, STATE) == [("a", "waiting", 1, why)]
    now.ns += 5 * S - 1
    sender.turn()
    assert len(inbox.got) == 1
    now.ns += 1
    assert sender.turn() is None
    first, second = inbox.got
    assert (first.headers["webhook-id"], first.content) == (second.headers["webhook-id"], second.content)
    assert second.is_signed()
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert rows(ledger, STATE) == [("a", "delivered", 2, "")]


def test_pauses_grow_and_it_is_given_up_after_a_day(ledger: Ledger, now: Now) -> None:
    book(ledger, "a")
    pauses = []
    sender = Courier(
        Deliveries(ledger), lambda *_: Outcome(delivered=False, error="http 500"), now.log, now.clock, lambda: 0.5
    )
    while (pause := sender.turn()) is not None:
        pauses.append(pause)
        now.ns += int(pause * S)
    assert pauses[:7] == [5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0]
    assert (sum(pauses), now.ns) == (86_400.0, AT_NS + DAY_NS)
    ((_, state, tries, why),) = rows(ledger, STATE)
    assert (state, tries, why) == ("given_up", len(pauses), "not taken within a day")
    assert now.log.said[-1] == ("alert_given_up", {"alert_id": "a", "tries": len(pauses), "error": why})


@pytest.mark.parametrize(("asked", "waits"), [("90", 90.0), ("1", 5.0), ("999999", 3600.0), ("soon", 5.0)])
def test_a_receiver_may_ask_for_a_longer_pause(
    ledger: Ledger, inbox: Receiver, now: Now, asked: str, waits: float
) -> None:
    book(ledger, "a")
    inbox.answers, inbox.extra = [503], {"retry-after": asked}
    assert courier(ledger, inbox, now).turn() == waits


def test_a_receiver_that_is_gone_is_left_alone(ledger: Ledger, inbox: Receiver, now: Now) -> None:
    book(ledger, "a")
    inbox.answers = [410]
    assert courier(ledger, inbox, now).turn() is None
    assert rows(ledger, STATE) == [("a", "given_up", 1, "http 410: the receiver wants no more")]


def test_nobody_listening_is_told_without_the_receivers_words(ledger: Ledger, now: Now) -> None:
    with receiver() as gone:
        pass
    book(ledger, "a")
    courier(ledger, gone, now).turn()
    assert rows(ledger, STATE) == [("a", "waiting", 1, "no connection: ConnectionRefusedError")]


def test_an_alert_of_long_ago_is_not_sent_any_more(ledger: Ledger, inbox: Receiver, now: Now) -> None:
    book(ledger, "a")
    now.ns = AT_NS + DAY_NS
    courier(ledger, inbox, now).turn()
    assert (inbox.got, rows(ledger, STATE)) == ([], [("a", "given_up", 0, "not taken within a day")])


def test_a_restart_goes_on_where_it_was(tmp_path: Path, inbox: Receiver, now: Now) -> None:
    inbox.answers = [204, 500]
    with closing(Ledger(tmp_path / "own.duckdb")) as ledger:
        book(ledger, "a", "b")
        courier(ledger, inbox, now).turn()
    now.ns += 5 * S
    with closing(Ledger(tmp_path / "own.duckdb")) as ledger:
        courier(ledger, inbox, now).turn()
        assert rows(ledger, STATE) == [("a", "delivered", 1, ""), ("b", "delivered", 2, "")]
    assert inbox.ids == ["a", "b", "b"]


def test_what_could_not_be_noted_is_sent_again_under_its_id(
    ledger: Ledger, inbox: Receiver, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: a kill between the answer and the note."""

    def failing(*_: object) -> None:
        raise LedgerFault("disk full")

    book(ledger, "a")
    sender = courier(ledger, inbox, now)
    with monkeypatch.context() as patch:
        patch.setattr(Deliveries, "delivered", failing)
        with pytest.raises(LedgerFault):
            sender.turn()
    sender.turn()
    assert (inbox.ids, rows(ledger, STATE)) == (["a", "a"], [("a", "delivered", 1, "")])


def test_a_receiver_that_sleeps_holds_up_no_booking(ledger: Ledger, now: Now) -> None:
    asleep, awake = threading.Event(), threading.Event()

    def take(*_: object) -> Outcome:
        asleep.set()
        awake.wait(20)
        return Outcome(delivered=True)

    book(ledger, "a")
    sender = Courier(Deliveries(ledger), take, now.log, now.clock)
    sender.start()
    assert asleep.wait(20)
    book(ledger, "b")
    assert rows(ledger, STATE) == [("a", "", 0, ""), ("b", "", 0, "")]
    awake.set()
    sender.end(20)


def test_it_is_woken_by_an_alert(ledger: Ledger, inbox: Receiver, now: Now) -> None:
    sender = courier(ledger, inbox, now)
    sender.start()
    try:
        book(ledger, "a")
        sender.wake()
        inbox.wait_for(1)
        book(ledger, "b")
        sender.wake()
        inbox.wait_for(2)
    finally:
        sender.end(20)
    assert inbox.ids == ["a", "b"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [("100.000000000000", "100"), ("0.000000000001", "0.000000000001"), ("0", "0"), ("1200", "1200"), ("0.50", "0.5")],
)
def test_amounts_are_plain_decimals(amount: str, text: str) -> None:
    assert webhook.plain(Decimal(amount)) == text


def test_a_window_without_an_end_says_so() -> None:
    alert = webhook.Alert(
        *("id", "b", "n", "w", "workspace", "", "hard", "tokens"),
        limit=Decimal(5),
        spent=Decimal(6),
        window_start=None,
        window_end=None,
        call_id="c",
        at=datetime(2026, 1, 1),  # noqa: DTZ001 - as the ledger gives it
    )
    assert b'"window_start":null,"window_end":null' in webhook.body(alert)

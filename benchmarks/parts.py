"""What single pieces of the call path cost, each timed alone: microseconds of CPU per call, best of five."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from sidecar.core.call import CallStatus, Strategy, Target, Usage
from sidecar.core.catalog import NO_LIMITS, Account, BreakerPolicy, RateLimits
from sidecar.core.clock import Clock
from sidecar.health import Health
from sidecar.invoker.outlook import Outlook
from sidecar.journal import Journal, JournalPolicy
from sidecar.limits import Limits
from sidecar.pricing import Pricing
from sidecar.pricing.estimate import estimate
from sidecar.providers.allowances import allowances
from sidecar.providers.openai import WIRE
from sidecar.providers.wire import HttpResponse
from sidecar.routing import Pool, plan
from taximeter.v1 import payload_pb2
from tests.support.journal_load import finished
from tests.support.loopback import parts as stream_parts
from tests.support.loopback import unary
from tests.support.routes import account, call, catalog, chain
from tests.support.routes import pool as pool_of_three

ROUNDS = 5
CALLS = 2000


def each_us(work: Callable[[], object], times: int = CALLS) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, time.process_time() - began)
    return 1e6 * best / times


def codec() -> list[tuple[str, float]]:
    operation = next(iter(WIRE))
    chat = WIRE[operation]
    account = Account(name="loop", type="openai-compatible", wire="openai", base_url="http://127.0.0.1:1/v1")
    asked = payload_pb2.ChatRequest(prompt="What does a taximeter do?", max_tokens=100)
    body = unary("plain").partition(b"\r\n\r\n")[2]
    answer = HttpResponse(200, {"content-type": "application/json"}, body)
    events = stream_parts("tokens", 200)
    reader = chat.reader
    assert reader is not None

    def read() -> None:
        made = reader()
        for event in events:
            for _ in made.feed(event):
                pass
        made.finish()

    return [
        ("encode a chat request", each_us(lambda: chat.encode(asked, "plain", False, account, "sk-x"))),
        ("decode its answer", each_us(lambda: chat.decode(answer))),
        ("read one chunk of a stream", each_us(read, 20) / len(events)),
    ]


def price() -> list[tuple[str, float]]:
    pricing = Pricing()
    account = Account(name="openai", type="openai", wire="openai", base_url="")
    usage = Usage(input=1000, cache_read=200, output=500)
    now_ns = time.time_ns()
    pricing.cost(account, "gpt-4o-mini", "", usage, now_ns)
    return [("price a call", each_us(lambda: pricing.cost(account, "gpt-4o-mini", "", usage, now_ns)))]


def choosing() -> list[tuple[str, float]]:
    """Three targets in rotation: the plan, and the permit of the first."""
    rows = []
    clock, asked = Clock(), call()
    for label, limits in {"": NO_LIMITS, ", all limits set": RateLimits(1000, 10**6, 10**9)}.items():
        accounts = [account(name, limits=limits) for name in "abc"]
        pool = pool_of_three(catalog(accounts, chain("a", "b", "c", strategy=Strategy.ROUND_ROBIN)), asked)
        health, held = Health(BreakerPolicy(), clock), Limits(clock)

        def choose(pool: Pool = pool, health: Health = health, held: Limits = held) -> None:
            outlook = Outlook(asked, health, held, estimate)
            made = plan(pool, asked, turn=5, chance=0.5, view=outlook, price=lambda _each, _call: None)
            first = made.targets[0]
            held.take(first.account, first.target, outlook.tokens).release(100)

        rows.append((f"choose among 3 targets, take and give back a permit{label}", each_us(choose)))
    headers = {f"h{number}": "x" for number in range(15)} | {
        f"x-ratelimit-{part}-{unit}": value
        for unit in ("requests", "tokens")
        for part, value in {"limit": "10000", "remaining": "9999", "reset": "6ms"}.items()
    }
    target = Target("a", "m")
    learned = Limits(clock)
    rows.append(
        (
            "learn limits from an answer's headers",
            each_us(lambda: learned.learn(target, allowances(headers, clock.wall_ns))),
        )
    )
    return rows


async def journal() -> list[tuple[str, float]]:
    """Start and finish frames, encoded and written; the disk is waited for once a round."""
    chance = Random(1)
    with tempfile.TemporaryDirectory() as folder:
        book = Journal.open(Path(folder), "01BENCH", JournalPolicy(), Clock(), print)
        best = float("inf")
        for _ in range(ROUNDS):
            records = [finished(book.sidecar_id, 0, chance) for _ in range(CALLS)]
            durable = []
            began = time.thread_time()
            for record in records:
                numbered = replace(record, seq=book.begin())
                book.started(replace(numbered, status=CallStatus.OPEN))
                durable.append(book.finished(numbered))
            best = min(best, time.thread_time() - began)
            await asyncio.gather(*durable)
        await book.close()
    return [("journal a call: start and finish", 1e6 * best / CALLS)]


def table() -> str:
    """Markdown."""
    rows = [*codec(), *price(), *choosing(), *asyncio.run(journal())]
    lines = [f"| {name} | {us:,.1f} |" for name, us in rows]
    return "\n".join(["## Pieces of the call path", "", "| piece | µs CPU |", "|---|---|", *lines, ""])

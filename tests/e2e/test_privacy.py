"""Canaries in prompt, answer, provider error, response header and key: with the caller, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from taximeter.v1 import payload_pb2
from tests.support.fares import Fares, Told, account, chain, fares, target
from tests.support.hostile import (
    Act,
    Exchange,
    answer,
    breaking,
    events,
    hostile,
    malformed,
    refusal,
    reset,
    silence,
    status,
)
from tests.support.otlp import GrpcReceiver, Received

pytestmark = [pytest.mark.xdist_group("privacy"), pytest.mark.timeout(120)]

PROMPT = "canary-of-the-prompt-3f81"
ANSWER = "canary-of-the-answer-77c0"
ERROR = "canary-of-the-error-b25d"
HEADER = "canary-of-the-header-90ae"
KEY = "sk-canary-of-the-key-41d6"
CANARIES = {"prompt": PROMPT, "answer": ANSWER, "error": ERROR, "header": HEADER, "key": KEY.removeprefix("sk-")}
TAG = "red-team-that-pays"
"""A word that is meant to be kept: where it is found, a canary would have been found."""
PLACES = (
    "journal",
    "ledger",
    "ledger's rows",
    "home",
    "sidecar's log",
    "bookkeeper's log",
    "telemetry",
    "exports",
    "shown",
)


@dataclass(frozen=True)
class Left:
    """What is left of the calls: by place, everything that stands there."""

    places: Mapping[str, bytes]
    told: Mapping[str, Told]
    catalog: str


async def play() -> Left:
    """Every way in which content could go astray, at debug level."""
    said = {"error": {"message": f"you asked {ERROR}", "type": "server_error", "code": None}}
    acts = {
        "good": answer(f"so be it {ANSWER}"),
        "refusing": refusal(400, f"no {ERROR}"),
        "failing": status(500, said, set_cookie=HEADER),
        "limiting": status(429, said, retry_after="60"),
        "rejecting": status(401, {"error": {"message": f"Incorrect API key provided: {KEY} {ERROR}"}}),
        "filtering": refusal(400, f"withheld {ERROR}", name="content_filter"),
        "garbled": status(200, f"<p>{ERROR}</p>".encode()),
        "lost": status(404, said),
        "complaining": events(json.dumps(said).encode()),
        "stuttering": malformed(ANSWER),
        "breaking": _saying(ANSWER),
        "silent": silence,
        "resetting": breaking(1, reset),
    }
    async with AsyncExitStack() as open_:
        servers = {name: await open_.enter_async_context(hostile(act)) for name, act in acts.items()}
        receiver = open_.enter_context(GrpcReceiver(Received()))

        def configured(_: str) -> list[str]:
            accounts = [account(name, "openai", server.base_url) for name, server in servers.items()]
            chained = chain("trying", *((name, "m") for name in ("failing", "limiting", "good")))
            return [*accounts, chained]

        asked = await open_.enter_async_context(
            fares(
                configured,
                receiver.received,
                OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
                LOG_LEVEL="debug",
                **{f"KEY_OF_{name.upper()}": KEY for name in acts},
            )
        )
        await _ask_everything(asked, list(acts))
        await asked.written()
        catalog = f"{await asked.client.providers()}{await asked.client.health()}"
        shown = await asyncio.to_thread(_shown, asked)
        for process in (asked.sidecar, asked.bookkeeper):  # the last spans, metrics and log lines
            assert await asyncio.to_thread(process.stop) == 0
        return Left(_places(asked, receiver.received, shown), asked.told, catalog)


def _saying(words: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(words)
        await reset(exchange)

    return act


async def _ask_everything(asked: Fares, accounts: list[str]) -> None:
    tags = {"team": TAG}
    for name in accounts:
        await asked.call(name, prompt=PROMPT, target=target(name, "m"), within_s=1.0, tags=tags)
        await asked.call(f"{name}, streamed", prompt=PROMPT, streamed=True, target=target(name, "m"), within_s=1.0)
    await asked.call("failover", prompt=PROMPT, alias="trying")
    await asked.call("hang-up", prompt=PROMPT, streamed=True, target=target("good", "m"), hang_up_after=1)
    await asked.call("unknown alias", prompt=PROMPT, alias="nobody")
    await asked.call("no provider", prompt=PROMPT, target=target("nobody", "m"))
    both = payload_pb2.ChatRequest(prompt=PROMPT, messages=[payload_pb2.ChatMessage(text=PROMPT)])
    await asked.call("malformed", chat=both, target=target("good", "m"))
    tool = payload_pb2.ToolCall(id=PROMPT, name=PROMPT, arguments=PROMPT)
    messages = [
        payload_pb2.ChatMessage(role=payload_pb2.ROLE_SYSTEM, text=PROMPT),
        payload_pb2.ChatMessage(role=payload_pb2.ROLE_ASSISTANT, reasoning=PROMPT, tool_calls=[tool]),
        payload_pb2.ChatMessage(role=payload_pb2.ROLE_TOOL, text=PROMPT, tool_call_id=PROMPT),
    ]
    options = {"openai": {"user": PROMPT}}
    chat = payload_pb2.ChatRequest(messages=messages)
    chat.provider_options.update(options)
    await asked.call("with tools", chat=chat, target=target("good", "m"))
    embedding = payload_pb2.EmbeddingRequest(inputs=[PROMPT])
    await asked.call("embedding", embedding=embedding, target=target("good", "m"))
    moderation = payload_pb2.ModerationRequest(inputs=[PROMPT])
    await asked.call("moderation", moderation=moderation, target=target("good", "m"))


def _shown(asked: Fares) -> bytes:
    """What the command line shows and exports."""
    commands = [
        ["calls", "--limit", "100"],
        ["calls", "--limit", "100", "--json"],
        *(["calls", row["call_id"], "--json"] for row in asked.rows()[:6]),
        ["usage", "--json"],
        ["providers", "--json"],
        ["config", "show"],
        ["config", "show", "--json"],
        ["doctor"],
        *(["export", "--format", form, "-o", f"calls.{form}"] for form in ("csv", "jsonl", "parquet")),
    ]
    run = [
        subprocess.run(
            [sys.executable, "-m", "sidecar", *each],
            env=asked.stack.env,
            cwd=asked.stack.cwd,
            capture_output=True,
            check=False,
        )
        for each in commands
    ]
    assert [each for each in run if each.returncode and each.args[-1] != "doctor"] == []
    return b"\n".join(each.stdout + each.stderr for each in run)


def _places(asked: Fares, received: Received, shown: bytes) -> dict[str, bytes]:
    home, folder = asked.stack.home, asked.stack.folder
    views = (
        *("ai_call_logs", "ai_call_attempts", "ai_call_costs", "ai_open_calls", "ai_target_states"),
        *("ai_budget_states", "ai_budget_alerts"),
    )
    return {
        "journal": _files(home / "journal"),
        "ledger": b"".join(path.read_bytes() for path in sorted(home.glob("ledger.duckdb*"))),
        "ledger's rows": "\n".join(str(asked.ask(view)) for view in views).encode(),
        "home": _files(home),
        "sidecar's log": (folder / "sidecar.log").read_bytes(),
        "bookkeeper's log": (folder / "bookkeeper.log").read_bytes(),
        "telemetry": received.bytes(),
        "exports": b"".join(path.read_bytes() for path in asked.stack.cwd.glob("calls.*")),
        "shown": shown,
    }


def _files(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture(scope="module")
def left() -> Left:
    return asyncio.run(play())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("canary", CANARIES)
def test_nowhere_else(left: Left, canary: str, place: str) -> None:
    found = left.places[place].find(CANARIES[canary].encode())
    assert found < 0, left.places[place][max(found - 200, 0) : found + 200]


@pytest.mark.parametrize("canary", ["header", "key"])
def test_not_even_with_the_caller(left: Left, canary: str) -> None:
    words = [f"{told.text}{told.metering}{told.error}" for told in left.told.values()]
    assert [each for each in words if CANARIES[canary] in each] == []


@pytest.mark.parametrize("canary", CANARIES)
def test_not_in_the_catalog(left: Left, canary: str) -> None:
    assert CANARIES[canary] not in left.catalog


@pytest.mark.parametrize("name", ["good", "good, streamed", "failover", "stuttering, streamed"])
def test_the_answer_is_with_the_caller(left: Left, name: str) -> None:
    assert ANSWER in left.told[name].text


@pytest.mark.parametrize("name", ["refusing", "failing", "limiting", "filtering", "complaining, streamed"])
def test_the_providers_words_are_with_the_caller(left: Left, name: str) -> None:
    assert ERROR in str(left.told[name].error)


@pytest.mark.parametrize("place", ["journal", "ledger's rows", "home", "exports", "shown"])
def test_what_is_kept_is_found_there(left: Left, place: str) -> None:
    """A search that would not find what is there proves nothing."""
    assert TAG.encode() in left.places[place]


@pytest.mark.parametrize("place", ["sidecar's log", "bookkeeper's log", "telemetry"])
def test_there_is_something_there(left: Left, place: str) -> None:
    assert len(left.places[place]) > 200

"""From a caller's `traceparent` to a collector, by real processes: the tree, outages, kills, a scrape."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sidecar.bookkeeper.telemetry import constants as otel
from tests.support.fares import Fares, Written, account, chain, fares, target
from tests.support.otlp import GrpcReceiver, HttpReceiver, Received, attributes

pytestmark = [pytest.mark.xdist_group("telemetry"), pytest.mark.timeout(120)]

RECEIVERS: dict[str, type[GrpcReceiver | HttpReceiver]] = {"grpc": GrpcReceiver, "http/protobuf": HttpReceiver}
PROTOCOLS = [pytest.param(protocol, id=protocol.partition("/")[0]) for protocol in RECEIVERS]
METHOD = "taximeter.v1.InvocationService/Invoke"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROMPT, KEY = "canary-of-the-prompt-55e1", "sk-canary-of-the-key-0c9d"
MODEL = "gpt-4o-mini"
KILLS = 3


def configured(url: str) -> list[str]:
    return [account("spare", "openai", url), chain("shaky", ("loop", "dead"), ("spare", MODEL))]


@asynccontextmanager
async def sending(receiver: GrpcReceiver | HttpReceiver, protocol: str, **env: str) -> AsyncIterator[Fares]:
    exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    async with fares(configured, receiver.received, KEY_OF_SPARE=KEY, **exporting, **env) as asked:
        yield asked


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_failover_arrives_as_a_tree_under_its_callers_span_with_the_rows_ids_and_times(protocol: str) -> None:
    with RECEIVERS[protocol](Received()) as receiver:
        async with sending(receiver, protocol) as asked:
            sampled, unsampled = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE[::-1]}-{PARENT}-00"
            await asked.call("unsampled", prompt=PROMPT, alias="shaky", traceparent=unsampled)
            await asked.call("failover", prompt=PROMPT, alias="shaky", traceparent=sampled)
            written = await asked.written()
            (server,), (invoke,) = written["failover"].kind("SERVER"), written["failover"].kind("INTERNAL")
            first, second = written["failover"].kind("CLIENT")
            assert await asyncio.to_thread(asked.bookkeeper.stop) == 0  # sends its metrics
            assert otel.METRIC_TOKENS in receiver.received.latest_metrics()
            row, attempts = written["failover"].row, written["failover"].attempts
        assert [span.name for span in (server, invoke, first, second)] == [
            METHOD,
            "invoke shaky",
            "chat dead",
            f"chat {MODEL}",
        ]
        # ids: the caller's, the row's, and the attempts'
        assert {span.trace_id.hex() for span in (server, invoke, first, second)} == {TRACE, row["trace_id"]}
        assert server.parent_span_id.hex() == row["parent_span_id"] == PARENT
        assert invoke.parent_span_id == server.span_id == bytes.fromhex(row["server_span_id"])
        assert first.parent_span_id == second.parent_span_id == invoke.span_id == bytes.fromhex(row["invoke_span_id"])
        assert [span.span_id.hex() for span in (first, second)] == [attempts[0]["span_id"], attempts[2]["span_id"]]
        # times: the record's own
        assert server.start_time_unix_nano == invoke.start_time_unix_nano == row["started_ns"]
        assert (server.end_time_unix_nano - server.start_time_unix_nano) / 1e6 == row["duration_ms"]
        assert [at(first.start_time_unix_nano), at(first.end_time_unix_nano)] == [
            attempts[0]["started_at"],
            attempts[1]["ended_at"],
        ]
        assert [at(second.start_time_unix_nano), at(second.end_time_unix_nano)] == [
            attempts[2]["started_at"],
            attempts[2]["ended_at"],
        ]
        # what they say
        assert attributes(server.attributes) == {
            "rpc.system.name": "grpc",
            "rpc.method": METHOD,
            "rpc.response.status_code": "OK",
        }
        decided = attributes(invoke.attributes)
        assert {name: decided[name] for name in ("taximeter.fallback_reason", "taximeter.attempts")} == {
            "taximeter.fallback_reason": "PROVIDER_ERROR",
            "taximeter.attempts": 3,
        }
        assert decided["taximeter.cost_usd"] == float(row["cost_usd"]) > 0
        assert not [name for name in decided if name.startswith("gen_ai.usage")]
        assert attributes(first.attributes)["error.type"] == "500"
        assert first.status.code == Status.STATUS_CODE_ERROR
        assert [event.name for event in first.events] == ["taximeter.retry"]
        assert (
            attributes(second.attributes).items()
            >= {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": MODEL,
                "gen_ai.response.model": MODEL,
                "gen_ai.usage.input_tokens": 12,
                "gen_ai.usage.output_tokens": 7,
                "server.address": "127.0.0.1",
            }.items()
        )
        # an unsampled parent: a row, and no spans
        assert (written["unsampled"].row["status"], written["unsampled"].row["sampled"]) == ("ok", False)
        assert written["unsampled"].spans == []
        # nothing twice, and no content
        assert len(receiver.received.spans()) == 4
        assert [canary for canary in (PROMPT, KEY) if canary.encode() in receiver.received.bytes()] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_collector_that_comes_late_gets_every_span_once(protocol: str) -> None:
    kind, received, taken = RECEIVERS[protocol], Received(), socket.socket()
    taken.bind(("127.0.0.1", 0))
    away = kind(received)
    away.port = taken.getsockname()[1]  # where it will be
    async with sending(away, protocol) as asked:
        with taken:  # nobody else gets the port meanwhile
            for number in range(10):
                await asked.call(f"early {number}", target=target("loop", "plain"))
            await asked.written(spans=False)
            await logged(asked, "takes no spans")
        with kind(received, away.port):
            for number in range(10):
                await asked.call(f"late {number}", target=target("loop", "plain"))
            written = await asked.written()
            assert await asyncio.to_thread(asked.bookkeeper.stop) == 0
            found = received.spans()
        assert Counter(map(span_id, found)) == Counter(ids for each in written.values() for ids in expected(each))


async def test_a_bookkeeper_killed_in_the_middle_sends_every_span_at_least_once_and_always_the_same() -> None:
    with GrpcReceiver(Received()) as receiver:
        async with sending(receiver, "grpc") as asked:
            stop = asyncio.Event()

            async def keep_asking(caller: int) -> None:
                for number in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                    where = {"alias": "shaky"} if number % 20 == 0 else {"target": target("loop", "slow-20")}
                    await asked.call(f"{caller}.{number}", **where)

            load = [asyncio.create_task(keep_asking(caller)) for caller in range(4)]
            for _ in range(KILLS):
                more = len(receiver.received.spans()) + 1
                await asked.until(lambda: len(receiver.received.spans()) >= more, "spans arrive")  # noqa: B023
                await asyncio.to_thread(asked.bookkeeper.kill)
                asked.bookkeeper = await asyncio.to_thread(asked.stack.bookkeeper)
            stop.set()
            await asyncio.gather(*load)
            written = await asked.written()
            await asked.until(lambda: missing(written, receiver.received) == set(), "every span is there")
            sent = Counter(map(span_id, receiver.received.spans()))
            print(f"{KILLS} kills, {len(written)} calls, {len(sent)} spans, {sent.total() - len(sent)} sent again")
            assert differing(receiver.received.spans()) == []
            assert sent.keys() == {ids for each in written.values() for ids in expected(each)}


async def test_a_scrape_shows_every_metric_with_allowed_labels_only() -> None:
    port = free_port()
    async with fares(configured, KEY_OF_SPARE=KEY, TAXIMETER_PROMETHEUS_PORT=str(port)) as asked:
        await asked.call("failover", prompt=PROMPT, alias="shaky", tags={"team": "a-tag-of-the-caller"})
        await asked.call("streamed", prompt=PROMPT, streamed=True, target=target("loop", "tokens-5"))
        await asked.written(spans=False)

        def counted() -> bool:
            return "rpc_server_call_duration_seconds_count{" in scrape(port)

        await asked.until(counted, "the calls are counted")
        page = scrape(port)
    names = {line.split(" ")[2] for line in page.splitlines() if line.startswith("# TYPE ")}
    wanted = {
        "gen_ai_client_token_usage",
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "rpc_server_call_duration_seconds",
        "taximeter_cost_USD_total",
        "taximeter_fallbacks_total",
        "taximeter_overhead_seconds",
        "taximeter_journal_backlog_bytes",
    }
    assert wanted <= names
    labels = {label for line in page.splitlines() if not line.startswith("#") for label in re.findall(r'(\w+)="', line)}
    scope = {"le", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
    resource = {
        label for line in page.splitlines() if line.startswith("target_info") for label in re.findall(r'(\w+)="', line)
    }
    assert labels - scope - resource <= {name.replace(".", "_") for name in otel.LABELS}
    assert [word for word in (PROMPT, KEY, "a-tag-of-the-caller") if word in page] == []


def span_id(span: Span) -> tuple[str, str]:
    return span.trace_id.hex(), span.span_id.hex()


def expected(written: Written) -> list[tuple[str, str]]:
    """The spans that a row and its attempts stand for."""
    row = written.row
    inner: dict[tuple[str, str], str] = {}
    for attempt in written.attempts:
        inner.setdefault((attempt["provider"], attempt["model"]), attempt["span_id"])
    return [(row["trace_id"], each) for each in (row["server_span_id"], row["invoke_span_id"], *inner.values())]


def missing(written: dict[str, Written], received: Received) -> set[tuple[str, str]]:
    return {ids for each in written.values() for ids in expected(each)} - {span_id(span) for span in received.spans()}


def differing(spans: list[Span]) -> list[tuple[str, str]]:
    """Ids under which not always the same came."""
    came: dict[tuple[str, str], set[bytes]] = {}
    for span in spans:
        came.setdefault(span_id(span), set()).add(span.SerializeToString(deterministic=True))
    return [ids for ids, versions in came.items() if len(versions) > 1]


async def logged(asked: Fares, words: str) -> None:
    await asked.until(lambda: words in (asked.stack.folder / "bookkeeper.log").read_text(), f"it says: {words}")


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        page: bytes = answer.read()
    return page.decode()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def at(ns: int) -> datetime:
    """As the ledger has it: UTC without a zone, to the microsecond."""
    return datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)  # noqa: DTZ001

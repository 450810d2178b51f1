"""What the caller is told, what the ledger says and what the spans say of the same call are the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from taximeter.v1 import metering_pb2
from tests.support.fares import Told, Written, account, chain, fares, target
from tests.support.hostile import USAGE, answer, breaking, hostile, reset
from tests.support.otlp import GrpcReceiver, Received, attributes

pytestmark = [pytest.mark.xdist_group("metering"), pytest.mark.timeout(120)]

TOKENS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
PRICED_MODEL = "gpt-4o-mini"
ACCOUNTS = ("priced", "contracted", "broken", "unknown", "ours", "billing", "silent")
PICODOLLARS = 10**12
PRICES = """
[[price]]
provider = "contracted"
model = "gpt-4o-mini"
source = "contract 4711"
input = 0.5
output = 1.25
"""


@dataclass(frozen=True)
class Call:
    told: Told
    written: Written

    @property
    def row(self) -> Any:
        return self.written.row

    @property
    def metering(self) -> metering_pb2.Metering:
        assert self.told.metering is not None
        return self.told.metering


async def play(folder: Any) -> dict[str, Call]:
    """One call of each kind, and all that was written about it."""
    prices = folder / "prices.toml"
    prices.write_text(PRICES)
    async with AsyncExitStack() as open_:
        broken = await open_.enter_async_context(hostile(breaking(3, reset)))
        unknown = await open_.enter_async_context(hostile(answer("of a model that nobody has a price for")))
        billing = await open_.enter_async_context(
            hostile(answer(usage={**USAGE, "cost": 0.00123}))
        )  # a float, as OpenRouter sends it
        silent = await open_.enter_async_context(hostile(answer(usage=None)))
        receiver = open_.enter_context(GrpcReceiver(Received()))

        def configured(url: str) -> list[str]:
            return [
                account("priced", "openai", url),
                account("contracted", "openai", url),
                account("broken", "openai", broken.base_url),
                account("unknown", "openai-compatible", unknown.base_url),
                account("ours", "openai-compatible", url, self_hosted="true"),
                account("billing", "openrouter", billing.base_url),
                account("silent", "openai", silent.base_url),
                chain("shaky", ("loop", "dead"), ("priced", PRICED_MODEL)),
                chain("restarting", ("broken", PRICED_MODEL), ("contracted", PRICED_MODEL))
                + 'stream_recovery = "restart"\n',
            ]

        asked = await open_.enter_async_context(
            fares(
                configured,
                receiver.received,
                OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
                TAXIMETER_PRICES_FILE=str(prices),
                **{f"KEY_OF_{name.upper()}": "sk-test" for name in ACCOUNTS},
            )
        )
        await asked.call("ok", target=target("priced", PRICED_MODEL))
        await asked.call("streamed", streamed=True, target=target("priced", PRICED_MODEL))
        await asked.call("failover", alias="shaky")
        await asked.call("refused", alias="nobody-knows-this")
        await asked.call("cancelled", streamed=True, hang_up_after=2, target=target("loop", "tokens-2000-5"))
        await asked.call("deadline", within_s=0.3, target=target("priced", "slow-5000"))
        await asked.call("broken", streamed=True, target=target("broken", PRICED_MODEL))
        await asked.call("restarted", streamed=True, alias="restarting")
        await asked.call("unpriced", target=target("unknown", "model-x"))
        await asked.call("declared-zero", target=target("ours", "plain"))
        await asked.call("override", target=target("contracted", PRICED_MODEL))
        await asked.call("provider-billed", target=target("billing", "acme/some-model"))
        await asked.call("estimated", target=target("silent", PRICED_MODEL))
        found = await asked.written()
        return {name: Call(told, found[name]) for name, told in asked.told.items()}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    return asyncio.run(play(tmp_path_factory.mktemp("prices")))


ALL = ("ok", "streamed", "failover", "refused", "cancelled", "deadline", "broken", "restarted", "unpriced",
       "declared-zero", "override", "provider-billed", "estimated")  # fmt: skip
METERED = tuple(name for name in ALL if name not in ("cancelled", "deadline"))
"""Whose caller was still there to be told."""


@pytest.mark.parametrize(
    ("name", "status", "error_type", "attempts"),
    [
        pytest.param("ok", "ok", "", ["ok"], id="ok"),
        pytest.param("streamed", "ok", "", ["ok"], id="streamed"),
        pytest.param("failover", "ok", "", ["failed", "failed", "ok"], id="failover"),
        pytest.param("refused", "refused", "unknown_alias", [], id="refused"),
        pytest.param("cancelled", "cancelled", "cancelled", ["cancelled"], id="cancelled"),
        pytest.param("deadline", "cancelled", "deadline_exceeded", ["cancelled"], id="deadline"),
        pytest.param("broken", "error", "stream_cut", ["failed"], id="stream-broken"),
        pytest.param("restarted", "ok", "", ["failed", "ok"], id="restarted"),
        pytest.param("unpriced", "ok", "", ["ok"], id="unpriced"),
        pytest.param("declared-zero", "ok", "", ["ok"], id="declared-zero"),
    ],
)
def test_a_row_says_how_the_call_ended(
    calls: dict[str, Call], name: str, status: str, error_type: str, attempts: list[str]
) -> None:
    call = calls[name]
    assert (call.row["status"], call.row["error_type"]) == (status, error_type)
    assert [attempt["status"] for attempt in call.written.attempts] == attempts


@pytest.mark.parametrize("name", METERED)
def test_the_row_has_what_the_caller_was_told(calls: dict[str, Call], name: str) -> None:
    row, told = calls[name].row, calls[name].metering
    assert {each: row[each] for each in TOKENS if row[each] is not None} == {
        each: getattr(told.usage, each)
        for each in TOKENS
        if told.usage.HasField(each)  # type: ignore[arg-type]  # its names
    }
    assert (row["call_id"], row["trace_id"], row["request_id"]) == (told.call_id, told.trace_id, told.request_id)
    assert (row["provider"], row["model"], row["model_reported"]) == (
        told.provider,
        told.model_requested,
        told.model_reported,
    )
    assert (row["priced"], picodollars(row["cost_usd"])) == (told.cost.priced, told_cost(told.cost))
    assert (row["price_source"], row["price_version"]) == (told.cost.price_source, told.cost.price_version)
    assert row["duration_ms"] == told.duration.ToNanoseconds() / 1e6
    assert row["fallback_used"] == told.fallback_used


@pytest.mark.parametrize("name", METERED)
def test_the_attempts_rows_have_what_the_caller_was_told(calls: dict[str, Call], name: str) -> None:
    told = calls[name].metering.attempts
    assert [
        (
            row["provider"],
            row["model"],
            row["status"],
            row["error_type"],
            row["http_status"],
            picodollars(row["cost_usd"]),
        )
        for row in calls[name].written.attempts
    ] == [
        (each.provider, each.model, each.status, each.error_type, each.http_status, told_cost(each.cost))
        for each in told
    ]
    assert [row["started_at"] for row in calls[name].written.attempts] == [
        instant(each.started_at.ToNanoseconds()) for each in told
    ]
    # The ledger has the two instants of an attempt, each to the microsecond.
    assert [row["duration_ms"] for row in calls[name].written.attempts] == [
        pytest.approx(each.duration.ToNanoseconds() / 1e6, abs=0.002) for each in told
    ]


@pytest.mark.parametrize("name", ALL)
def test_the_spans_are_the_rows(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    (server,), (invoke,) = call.written.kind("SERVER"), call.written.kind("INTERNAL")
    assert (server.span_id.hex(), invoke.span_id.hex()) == (call.row["server_span_id"], call.row["invoke_span_id"])
    assert (invoke.parent_span_id, server.parent_span_id) == (server.span_id, b"")
    assert server.start_time_unix_nano == invoke.start_time_unix_nano == call.row["started_ns"]
    assert (server.end_time_unix_nano - server.start_time_unix_nano) / 1e6 == call.row["duration_ms"]
    said = attributes(invoke.attributes)
    assert (said["taximeter.call_id"], said["taximeter.status"], said.get("error.type", "")) == (
        call.row["call_id"],
        call.row["status"],
        call.row["error_type"],
    )
    assert said["taximeter.attempts"] == call.row["attempts"] == len(call.written.attempts)


@pytest.mark.parametrize("name", ALL)
def test_the_spans_tokens_and_cost_are_the_rows(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    client = [attributes(span.attributes) for span in call.written.kind("CLIENT")]
    for column, attribute in TOKENS.items():
        told = [said[attribute] for said in client if attribute in said]
        assert (sum(told) if told else None) == call.row[column], column
    cost = attributes(call.written.kind("INTERNAL")[0].attributes).get("taximeter.cost_usd")
    assert cost == (None if call.row["cost_usd"] is None else float(call.row["cost_usd"]))


@pytest.mark.parametrize("name", ALL)
def test_the_client_spans_are_the_attempts(calls: dict[str, Call], name: str) -> None:
    """One for each provider and model in a row; times and ids are those of the rows."""
    attempts = call_targets(calls[name].written)
    spans = calls[name].written.kind("CLIENT")
    assert [span.span_id.hex() for span in spans] == [group[0]["span_id"] for group in attempts]
    assert [instant(span.start_time_unix_nano) for span in spans] == [group[0]["started_at"] for group in attempts]
    assert [instant(span.end_time_unix_nano) for span in spans] == [group[-1]["ended_at"] for group in attempts]


def call_targets(written: Written) -> list[list[Any]]:
    groups: list[list[Any]] = []
    for row in written.attempts:
        if not groups or (groups[-1][0]["provider"], groups[-1][0]["model"]) != (row["provider"], row["model"]):
            groups.append([])
        groups[-1].append(row)
    return groups


def test_a_priced_model_costs_what_its_list_price_says_and_tells_where_it_is_from(calls: dict[str, Call]) -> None:
    row = calls["ok"].row
    oracle = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=12, output_tokens=7),
        PRICED_MODEL,
        provider_id="openai",
        genai_request_timestamp=row["started_at"].replace(tzinfo=UTC),
    )
    assert row["cost_usd"] == oracle.total_price > 0
    assert row["price_source"] == "genai-prices"
    assert row["price_version"]
    assert [(line["meter"], line["quantity"]) for line in calls["ok"].written.costs] == [("input", 12), ("output", 7)]


@pytest.mark.parametrize(
    ("name", "cost", "priced", "source"),
    [
        pytest.param("override", Decimal("0.00001475"), True, "override", id="override-file-wins"),
        pytest.param("provider-billed", Decimal("0.00123"), True, "provider", id="provider-billed"),
        pytest.param("declared-zero", Decimal(0), True, "declared", id="declared-zero"),
        pytest.param("unpriced", None, False, "", id="unknown-is-null"),
        pytest.param("refused", Decimal(0), True, "", id="refused-owes-nothing"),
    ],
)
def test_cost_and_its_source(
    calls: dict[str, Call], name: str, cost: Decimal | None, priced: bool, source: str
) -> None:
    row = calls[name].row
    assert (row["cost_usd"], row["priced"], row["price_source"]) == (cost, priced, source)
    lines = [line["cost_usd"] for line in calls[name].written.costs]
    assert sum(lines) == (cost or 0)


def test_a_failover_costs_what_its_answer_costs(calls: dict[str, Call]) -> None:
    row, attempts = calls["failover"].row, calls["failover"].written.attempts
    assert [attempt["cost_usd"] for attempt in attempts] == [0, 0, calls["ok"].row["cost_usd"]]
    assert row["cost_usd"] == calls["ok"].row["cost_usd"]
    assert (row["provider"], row["fallback_reason"]) == ("priced", "PROVIDER_ERROR")


def test_a_stream_that_began_anew_costs_both_its_beginnings(calls: dict[str, Call]) -> None:
    row, attempts = calls["restarted"].row, calls["restarted"].written.attempts
    assert [attempt["usage_source"] for attempt in attempts] == ["estimated", "reported"]
    assert all(attempt["cost_usd"] > 0 for attempt in attempts)
    assert row["cost_usd"] == sum(attempt["cost_usd"] for attempt in attempts)
    assert row["output_tokens"] == sum(attempt["output_tokens"] for attempt in attempts)
    assert (row["provider"], row["fallback_reason"], row["usage_source"]) == ("contracted", "STALL", "estimated")


@pytest.mark.parametrize("name", ["broken", "estimated"])
def test_content_without_usage_is_estimated_and_priced(calls: dict[str, Call], name: str) -> None:
    row = calls[name].row
    assert (row["usage_source"], row["priced"]) == ("estimated", True)
    assert row["estimator_version"]
    assert row["cost_usd"] > 0


def test_a_call_that_timed_out_without_an_answer_is_at_risk_and_not_billed(calls: dict[str, Call]) -> None:
    row = calls["deadline"].row
    assert (row["cost_usd"], row["maybe_billed"], row["usage_source"]) == (0, True, "none")


def picodollars(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd * PICODOLLARS)


def told_cost(cost: metering_pb2.Cost) -> int | None:
    return cost.amount_picodollars if cost.HasField("amount_picodollars") else None


def instant(ns: int) -> datetime:
    """As the ledger has it: UTC without a zone, to the microsecond."""
    return datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)  # noqa: DTZ001

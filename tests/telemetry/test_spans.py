"""One record -> its spans: the tree, its names, times and ids; what each says and does not say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.bookkeeper.telemetry import constants as otel
from sidecar.bookkeeper.telemetry.exporter import provider_names
from sidecar.bookkeeper.telemetry.spans import Span, spans
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2
from tests.support.otlp_records import (
    CANARY,
    METHOD,
    PARENT,
    SECOND,
    START_NS,
    TRACE,
    answered,
    attempt,
    failed,
    failover,
    record,
)

NAMES = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini"}


def draw(call: journal_pb2.CallRecord, *, unsampled: bool = False) -> tuple[Span, ...]:
    return spans(call, NAMES, unsampled=unsampled)


def test_the_tree_of_a_failover() -> None:
    """Two tries at one model are one span, the next provider another."""
    server, invoke, first, second = draw(failover())
    assert [(span.name, span.kind) for span in (server, invoke, first, second)] == [
        (METHOD, "server"),
        ("invoke smart", "internal"),
        ("chat gpt-4o-mini", "client"),
        ("chat claude-haiku-4-5", "client"),
    ]
    assert (server.parent_span_id, server.parent_is_remote) == (PARENT, True)
    assert invoke.parent_span_id == server.span_id
    assert {first.parent_span_id, second.parent_span_id} == {invoke.span_id}
    assert {span.trace_id for span in (server, invoke, first, second)} == {TRACE}
    assert not any(span.parent_is_remote for span in (invoke, first, second))


def test_ids_are_the_records_own() -> None:
    ids = [span.span_id for span in draw(failover())]
    assert ids == ["00000000000000a1", "00000000000000a2", f"{17:016x}", f"{19:016x}"]


def test_times_are_the_records_own() -> None:
    call = failover()
    server, invoke, first, second = draw(call)
    assert {(span.start_ns, span.end_ns) for span in (server, invoke)} == {(call.started_ns, call.ended_ns)}
    assert (first.start_ns, first.end_ns) == (START_NS, START_NS + SECOND + SECOND // 2)
    assert (second.start_ns, second.end_ns) == (START_NS + 2 * SECOND, START_NS + 2 * SECOND + SECOND // 2)


def test_a_root_has_no_parent() -> None:
    assert draw(record(answered(1), parent_span_id=""))[0].parent_span_id == ""


def test_a_retry_at_the_same_endpoint_is_an_event() -> None:
    _, _, client = draw(record(failed(1), answered(2)))
    (event,) = client.events
    assert (event.name, event.at_ns) == ("taximeter.retry", START_NS + SECOND)
    assert event.attributes == {otel.ATTEMPT: 2, otel.ERROR_TYPE: "rate_limited", otel.HTTP_STATUS: 429}
    assert client.attributes[otel.HTTP_RESENDS] == 1
    assert not client.error


def test_back_at_the_first_provider_is_a_new_span() -> None:
    call = record(failed(1), failed(2, "anthropic", "claude"), answered(3))
    assert [span.name for span in draw(call)[2:]] == ["chat gpt-4o-mini", "chat claude", "chat gpt-4o-mini"]


def test_what_a_client_span_says() -> None:
    call = record(
        answered(1, first_token_ns=START_NS + SECOND // 4),
        streamed=True,
        conversation_id="conv-1",
        parameters=journal_pb2.RequestParameters(temperature=0.0, max_tokens=64, seed=1, stop=["\n"], choice_count=2),
    )
    assert draw(call)[2].attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": "conv-1",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.seed": 1,
        "gen_ai.request.stop_sequences": ("\n",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 8,
        "server.address": "api.openai.test",
        "server.port": 443,
        "http.response.status_code": 200,
        "taximeter.provider": "openai",
        "taximeter.usage_source": "reported",
    }


def test_what_nobody_set_or_told_is_absent() -> None:
    said = draw(record(attempt(1)))[2].attributes
    assert set(said) == {
        otel.OPERATION,
        otel.PROVIDER,
        otel.REQUEST_MODEL,
        otel.SERVER_ADDRESS,
        otel.SERVER_PORT,
        otel.ACCOUNT,
    }


def test_one_choice_is_not_worth_saying() -> None:
    call = record(answered(1), parameters=journal_pb2.RequestParameters(choice_count=1))
    assert "gen_ai.request.choice.count" not in draw(call)[2].attributes


def test_an_invoke_span_says_what_was_decided_and_carries_no_usage() -> None:
    said = draw(failover())[1].attributes
    expected = {
        "taximeter.workspace": "acme",
        "taximeter.alias": "smart",
        "taximeter.strategy": "failover",
        "taximeter.fallback_reason": "RATE_LIMITED",
        "taximeter.fallback_used": True,
        "taximeter.attempts": 3,
        "taximeter.cost_usd": 0.0000222,
        "taximeter.provider": "anthropic",
        "taximeter.call_id": "01CALL",
    }
    assert {key: said.get(key) for key in expected} == expected
    assert not [key for key in said if key.startswith("gen_ai.")]


def test_an_unknown_cost_is_absent_not_zero() -> None:
    said = draw(record(answered(1), cost=metering_pb2.Cost(priced=False)))[1].attributes
    assert "taximeter.cost_usd" not in said
    assert said["taximeter.priced"] is False


def test_a_known_cost_of_zero_is_zero() -> None:
    said = draw(record(answered(1), cost=metering_pb2.Cost(priced=True, amount_picodollars=0)))[1].attributes
    assert said["taximeter.cost_usd"] == 0.0


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param("gemini", "gcp.gemini", id="the convention's name"),
        pytest.param("our-own", "our-own", id="the type where it has none"),
    ],
)
def test_provider_names(kind: str, name: str) -> None:
    assert draw(record(answered(1, provider_type=kind)))[2].attributes[otel.PROVIDER] == name


def test_provider_names_come_from_the_rows() -> None:
    assert provider_names()["openai"] == "openai"


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param("chat", "chat gpt-4o-mini", id="chat"),
        pytest.param("completion", "text_completion gpt-4o-mini", id="completion"),
        pytest.param("embedding", "embeddings gpt-4o-mini", id="embedding"),
        pytest.param("moderation", "moderation gpt-4o-mini", id="moderation has no name in the convention"),
    ],
)
def test_operation_names(operation: str, name: str) -> None:
    assert draw(record(answered(1), operation=operation))[2].name == name


@pytest.mark.parametrize(
    ("status", "grpc_status", "server_error", "invoke_error"),
    [
        pytest.param("ok", "OK", None, False, id="ok"),
        pytest.param("error", "UNAVAILABLE", "UNAVAILABLE", True, id="all failed"),
        pytest.param("refused", "RESOURCE_EXHAUSTED", None, True, id="over budget is not the server's error"),
        pytest.param("refused", "INVALID_ARGUMENT", None, True, id="a bad request is not the server's error"),
        pytest.param("cancelled", "CANCELLED", None, False, id="hung up"),
        pytest.param("cancelled", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", False, id="deadline"),
        pytest.param("abandoned", "", "abandoned", True, id="killed"),
    ],
)
def test_whose_error_it_is(status: str, grpc_status: str, server_error: str | None, invoke_error: bool) -> None:
    error_type = "" if status == "ok" else "some_reason"
    server, invoke, *_ = draw(record(answered(1), status=status, grpc_status=grpc_status, error_type=error_type))
    assert (server.error, server.attributes.get(otel.ERROR_TYPE)) == (server_error is not None, server_error)
    assert invoke.error is invoke_error
    assert server.attributes.get(otel.RPC_STATUS, "") == grpc_status


@pytest.mark.parametrize(
    ("fields", "error", "error_type"),
    [
        pytest.param({}, True, "429", id="by its HTTP status"),
        pytest.param({"http_status": 0, "error_type": "connect_error"}, True, "connect_error", id="by our name"),
        pytest.param({"http_status": 200, "error_type": "stream_cut"}, True, "stream_cut", id="after a good status"),
        pytest.param(
            {"status": "cancelled", "http_status": 0, "error_type": "cancelled"}, False, "cancelled", id="cancelled"
        ),
        pytest.param(
            {"status": "abandoned", "http_status": 0, "error_type": "abandoned"}, True, "abandoned", id="abandoned"
        ),
    ],
)
def test_error_type_of_an_attempt(fields: dict[str, Any], error: bool, error_type: str) -> None:
    client = draw(record(failed(1, **fields), status="error", grpc_status="UNAVAILABLE"))[2]
    assert (client.error, client.attributes[otel.ERROR_TYPE]) == (error, error_type)


def test_a_refused_call_has_no_client_span() -> None:
    call = record(
        status="refused", grpc_status="RESOURCE_EXHAUSTED", error_type="budget_exceeded", fallback_reason="BUDGET"
    )
    server, invoke = draw(call)
    assert server.attributes[otel.RPC_STATUS] == "RESOURCE_EXHAUSTED"
    assert invoke.attributes[otel.ERROR_TYPE] == "budget_exceeded"


def test_an_unsampled_parent_gives_no_spans_unless_asked_for() -> None:
    call = record(answered(1), sampled=False)
    assert draw(call) == ()
    assert len(draw(call, unsampled=True)) == 3


def test_an_attempt_that_never_ended_ends_with_its_call() -> None:
    open_attempt = attempt(1, status="abandoned")
    open_attempt.ClearField("ended_ns")
    call = record(open_attempt, status="abandoned", grpc_status="")
    assert draw(call)[2].end_ns == call.ended_ns


def test_tags_are_not_told() -> None:
    assert CANARY not in repr(draw(failover()))


attempts = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.booleans(), st.none() | st.integers(0, 1000), st.none() | st.integers(0, 1000)
    ),
    max_size=6,
)


@given(attempts)
def test_spans_agree_with_the_record(made: list[tuple[str, bool, int | None, int | None]]) -> None:
    """However the attempts went: usage sums to theirs, and a span stands for each change of provider."""
    tried = [
        (answered if good else failed)(
            number, provider, usage=metering_pb2.Usage(input_tokens=tokens_in, output_tokens=tokens_out)
        )
        for number, (provider, good, tokens_in, tokens_out) in enumerate(made, 1)
    ]
    server, invoke, *clients = draw(record(*tried))
    changes = sum(before.provider != after.provider for before, after in pairwise(tried))
    assert len(clients) == (changes + 1 if tried else 0)
    used = {
        "gen_ai.usage.input_tokens": [entry[2] for entry in made],
        "gen_ai.usage.output_tokens": [entry[3] for entry in made],
    }
    for key, expected in used.items():
        told = [span.attributes[key] for span in clients if key in span.attributes]
        assert sum(count for count in told if isinstance(count, int)) == sum(count or 0 for count in expected)
    assert sum(len(span.events) for span in clients) == len(tried) - len(clients)
    for span in clients:
        assert server.start_ns <= span.start_ns <= span.end_ns <= invoke.end_ns


def test_the_alerts_that_a_call_gave_are_events_at_its_end() -> None:
    call = record(answered(1), budget_alerts=["bud_1 soft", "bud_1 hard"])
    invoke = draw(call)[1]
    assert [(event.name, event.at_ns, event.attributes) for event in invoke.events] == [
        ("taximeter.budget.alert", call.ended_ns, {otel.BUDGET: "bud_1", otel.BUDGET_THRESHOLD: threshold})
        for threshold in ("soft", "hard")
    ]


def test_a_call_that_gave_none_has_no_events() -> None:
    assert draw(failover())[1].events == ()

"""Frames to a real OTLP receiver, over gRPC and over HTTP; collectors that come and go; Prometheus."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sidecar.bookkeeper.telemetry import Exporter, TelemetryOptions
from sidecar.bookkeeper.telemetry.exporter import PENDING_SPANS
from taximeter.journal.v1 import journal_pb2
from tests.support.budget_books import AT_NS, budget_state, state
from tests.support.otlp import GrpcReceiver, HttpReceiver, Received, attributes
from tests.support.otlp_records import (
    CANARY,
    METHOD,
    PARENT,
    SECOND,
    START_NS,
    TRACE,
    answered,
    failed,
    failover,
    frame,
    record,
)

RECEIVERS: dict[str, type[GrpcReceiver | HttpReceiver]] = {"grpc": GrpcReceiver, "http/protobuf": HttpReceiver}
PROTOCOLS = [pytest.param(protocol, id=protocol) for protocol in RECEIVERS]


@contextmanager
def exporting(**options: Any) -> Iterator[Exporter]:
    exporter = Exporter(TelemetryOptions(export_timeout_s=0.7, **options), backlog=lambda: 4711)
    try:
        yield exporter
    finally:
        exporter.close(1.0)


def to(receiver: GrpcReceiver | HttpReceiver, **more: Any) -> dict[str, Any]:
    protocol = next(name for name, kind in RECEIVERS.items() if isinstance(receiver, kind))
    return {"otlp_endpoint": receiver.endpoint, "otlp_protocol": protocol, **more}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_tree_arrives_with_its_names_times_ids_and_parent(protocol: str) -> None:
    call = failover()
    with RECEIVERS[protocol](Received()) as receiver, exporting(**to(receiver)) as exporter:
        exporter.handle([frame(call)])
        assert exporter.flush(5)
        server, invoke, first, second = receiver.received.spans()
    assert [span.name for span in (server, invoke, first, second)] == [
        METHOD,
        "invoke smart",
        "chat gpt-4o-mini",
        "chat claude-haiku-4-5",
    ]
    assert [span.kind for span in (server, invoke, first, second)] == [
        Span.SPAN_KIND_SERVER,
        Span.SPAN_KIND_INTERNAL,
        Span.SPAN_KIND_CLIENT,
        Span.SPAN_KIND_CLIENT,
    ]
    assert {span.trace_id.hex() for span in (server, invoke, first, second)} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert invoke.parent_span_id == server.span_id == bytes.fromhex(call.server_span_id)
    assert first.parent_span_id == second.parent_span_id == invoke.span_id == bytes.fromhex(call.invoke_span_id)
    assert [span.span_id.hex() for span in (first, second)] == [call.attempts[0].span_id, call.attempts[2].span_id]
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (call.started_ns, call.ended_ns)
    assert second.start_time_unix_nano == START_NS + 2 * SECOND
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert attributes(first.attributes)["error.type"] == "429"
    assert "gen_ai.usage.input_tokens" not in attributes(first.attributes)
    assert attributes(second.attributes)["gen_ai.usage.cache_write.input_tokens"] == 0
    assert attributes(second.attributes)["gen_ai.response.finish_reasons"] == ["stop"]
    assert [event.name for event in first.events] == ["taximeter.retry"]
    assert attributes(server.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headers_and_resource_arrive(protocol: str) -> None:
    with RECEIVERS[protocol](Received()) as receiver:
        options = to(receiver, otlp_headers={"X-Team": "a"}, service_name="svc", resource_attributes={"stage": "test"})
        with exporting(**options) as exporter:
            exporter.handle([frame(record(answered(1)))])
            assert exporter.flush(5)
        assert receiver.received.headers[0]["x-team"] == "a"
        said = receiver.received.resources()[0]
        assert (said["service.name"], said["stage"]) == ("svc", "test")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_that_a_caller_or_provider_wrote_arrives(protocol: str) -> None:
    with RECEIVERS[protocol](Received()) as receiver:
        with exporting(**to(receiver)) as exporter:
            exporter.handle([frame(failover()), frame(record(failed(1), status="error", grpc_status="UNAVAILABLE"))])
            assert exporter.flush(5)
        sent = receiver.received.bytes()
    assert TRACE in sent.hex()
    assert CANARY.encode() not in sent


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_that_was_down_gets_everything_once_it_is_back(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    received = Received()
    with RECEIVERS[protocol](received) as receiver:
        port, options = receiver.port, to(receiver)
    with exporting(**options) as exporter, caplog.at_level(logging.INFO):
        exporter.handle([frame(record(answered(1), call_id="a"))])
        assert not exporter.flush(0.1), "positions must not move on"
        exporter.handle([frame(record(answered(1), call_id="b"))])
        assert not exporter.flush(0.1)
        with RECEIVERS[protocol](received, port):
            exporter.handle([frame(record(answered(1), call_id="c"))])
            assert exporter.flush(20)
    calls = [attributes(span.attributes).get("taximeter.call_id") for span in received.spans()]
    assert [call for call in calls if call] == ["a", "b", "c"]
    ours = [entry.message for entry in caplog.records if entry.name.startswith("sidecar.")]
    assert [("takes no spans" in text, "again" in text) for text in ours] == [(True, False), (False, True)]


def test_a_password_in_the_endpoint_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with exporting(otlp_endpoint="http://user:hunter2@127.0.0.1:9", otlp_protocol="http/protobuf") as exporter:
        exporter.handle([frame(record(answered(1)))])
        assert not exporter.flush(0)
    assert "127.0.0.1:9 takes no spans" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_collector_that_answers_503_is_tried_again() -> None:
    with HttpReceiver(Received()) as receiver, exporting(**to(receiver)) as exporter:
        receiver.refusals = 1
        exporter.handle([frame(record(answered(1)))])
        assert exporter.flush(20)
        assert len(receiver.received.spans()) == 3


def test_the_same_frame_again_gives_the_same_ids() -> None:
    """After a crash frames are handled twice: a collector must see the same spans, not others."""
    with GrpcReceiver(Received()) as receiver:
        for _ in range(2):
            with exporting(**to(receiver)) as exporter:
                exporter.handle([frame(failover())])
                assert exporter.flush(5)
        ids = [span.span_id for span in receiver.received.spans()]
    assert ids[:4] == ids[4:]


def test_many_spans_go_in_batches() -> None:
    with GrpcReceiver(Received()) as receiver, exporting(**to(receiver)) as exporter:
        exporter.handle([frame(record(answered(1)))] * 400)
        assert exporter.flush(20)
        assert len(receiver.received.spans()) == 1200
        assert len(receiver.received.traces) == 3


def test_it_says_when_no_more_frames_should_come() -> None:
    with exporting(otlp_endpoint="http://127.0.0.1:9") as exporter:
        assert not exporter.full
        exporter.handle([frame(record(answered(1)))] * (PENDING_SPANS // 3 + 1))
        assert exporter.full


def test_close_ends_a_flush_that_waits() -> None:
    exporter = Exporter(TelemetryOptions(otlp_endpoint="http://127.0.0.1:9", export_timeout_s=0.7))
    exporter.handle([frame(record(answered(1)))])
    assert not exporter.flush(0.01)
    exporter.close(0.1)
    begun = time.monotonic()
    assert not exporter.flush(60)
    assert time.monotonic() - begun < 5


def test_an_unsampled_parent_gives_no_spans_unless_asked_for() -> None:
    with GrpcReceiver(Received()) as receiver:
        for asked in (False, True):
            with exporting(**to(receiver, trace_unsampled=asked)) as exporter:
                exporter.handle([frame(record(answered(1), sampled=False))])
                assert exporter.flush(5)
            assert len(receiver.received.spans()) == (3 if asked else 0)


def test_only_finished_calls_are_told() -> None:
    others = [
        journal_pb2.Frame(started=record(answered(1))),
        journal_pb2.Frame(state=journal_pb2.State(at_ns=1)),
        journal_pb2.Frame(closed=journal_pb2.Closed(at_ns=1)),
    ]
    with GrpcReceiver(Received()) as receiver, exporting(**to(receiver)) as exporter:
        exporter.handle(others)
        assert exporter.flush(5)
        assert receiver.received.spans() == []


def point(received: Received, name: str, **labels: object) -> Any:
    """The one data point of a metric whose labels include these (dots for underscores in names are given as keys)."""
    metric = received.latest_metrics()[name]
    data: Any = getattr(metric, metric.WhichOneof("data") or "")
    found = [each for each in data.data_points if labels.items() <= attributes(each.attributes).items()]
    assert len(found) == 1, f"{name}: {[attributes(each.attributes) for each in data.data_points]}"
    return found[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_metrics_are_drawn_from_the_same_records(protocol: str) -> None:
    streamed = record(answered(1, first_token_ns=START_NS + SECOND // 4), streamed=True)
    with RECEIVERS[protocol](Received()) as receiver:
        with exporting(**to(receiver)) as exporter:
            exporter.handle([frame(streamed), frame(failover())])
        received = receiver.received
    openai = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    tokens: HistogramDataPoint = point(
        received, "gen_ai.client.token.usage", **openai, **{"gen_ai.token.type": "input"}
    )
    assert (tokens.count, tokens.sum) == (1, 100)
    assert list(tokens.explicit_bounds) == [4**power for power in range(14)]
    first_chunk: HistogramDataPoint = point(received, "gen_ai.client.operation.time_to_first_chunk", **openai)
    assert first_chunk.sum == 0.25
    assert [first_chunk.explicit_bounds[0], first_chunk.explicit_bounds[-1]] == [0.01, 81.92]
    rate_limited: HistogramDataPoint = point(
        received, "gen_ai.client.operation.duration", **openai, **{"error.type": "429"}
    )
    assert (rate_limited.count, rate_limited.sum) == (1, 1.5)
    rpc: HistogramDataPoint = point(received, "rpc.server.call.duration", **{"rpc.response.status_code": "OK"})
    assert rpc.count == 2
    assert rpc.sum == pytest.approx(0.51 + 2.51)
    assert [rpc.explicit_bounds[0], rpc.explicit_bounds[-1]] == [0.005, 10]
    cost: NumberDataPoint = point(received, "taximeter.cost", **openai)
    assert cost.as_double == pytest.approx(0.0000222)
    fallbacks: NumberDataPoint = point(received, "taximeter.fallbacks", **{"taximeter.fallback_reason": "RATE_LIMITED"})
    assert fallbacks.as_int == 1
    assert point(received, "taximeter.overhead").count == 2
    assert point(received, "taximeter.journal.backlog").as_int == 4711
    assert CANARY.encode() not in received.bytes()


def test_how_far_budgets_are_used_is_a_gauge_of_the_newest_word() -> None:
    """A budget that is gone is gone; a word that comes late changes nothing."""
    newest = state(budget_state("b1", spent=80), budget_state("b2", unit="tokens", spent=0), at_ns=AT_NS + 2)
    words = [state(budget_state("b3"), at_ns=AT_NS), newest, state(budget_state("b1", spent=1), at_ns=AT_NS + 1)]
    with GrpcReceiver(Received()) as receiver:
        with exporting(**to(receiver)) as exporter:
            exporter.handle(words)
        metric = receiver.received.latest_metrics()["taximeter.budget.utilization"]
    told = [(each.as_double, attributes(each.attributes)) for each in metric.gauge.data_points]
    assert told == [
        (
            used,
            {
                "taximeter.budget": budget_id,
                "taximeter.budget.name": f"name of {budget_id}",
                "taximeter.budget.scope": "workspace",
                "taximeter.budget.unit": unit,
                "taximeter.workspace": "acme",
            },
        )
        for budget_id, unit, used in (("b1", "usd", 0.8), ("b2", "tokens", 0.0))
    ]


def test_a_budget_refusal_is_no_server_error_in_metrics() -> None:
    with GrpcReceiver(Received()) as receiver:
        with exporting(**to(receiver)) as exporter:
            exporter.handle(
                [frame(record(status="refused", grpc_status="RESOURCE_EXHAUSTED", error_type="budget_exceeded"))]
            )
        rpc = point(receiver.received, "rpc.server.call.duration", **{"rpc.response.status_code": "RESOURCE_EXHAUSTED"})
    assert "error.type" not in attributes(rpc.attributes)


def test_labels_come_from_the_allow_list_only() -> None:
    call = record(answered(1), request_id="r-1", conversation_id="c-1", fallback_used=True, fallback_reason="TIMEOUT")
    with GrpcReceiver(Received()) as receiver:
        with exporting(**to(receiver)) as exporter:
            exporter.handle([frame(call)])
        names: set[str] = set()
        for metric in receiver.received.latest_metrics().values():
            data: Any = getattr(metric, metric.WhichOneof("data") or "")
            for each in data.data_points:
                names |= attributes(each.attributes).keys()
    assert names <= {
        *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"),
        *("gen_ai.token.type", "error.type", "server.address", "server.port", "rpc.system.name", "rpc.method"),
        *("rpc.response.status_code", "taximeter.workspace", "taximeter.alias", "taximeter.fallback_reason"),
        "taximeter.price_source",
    }


def test_a_model_name_for_every_call_does_not_grow_memory_without_end() -> None:
    """Callers can name any model: the SDK folds what exceeds its limit into one overflow point."""
    with exporting(prometheus_port=0) as exporter:
        exporter.handle([frame(record(answered(1, model=f"m{number}", model_reported=""))) for number in range(2500)])
        text = scrape(exporter)
    assert text.count("gen_ai_client_operation_duration_seconds_count{") <= 2001


def scrape(exporter: Exporter) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{exporter.prometheus_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_prometheus_shows_what_was_counted() -> None:
    with exporting(prometheus_port=0) as exporter:
        exporter.handle([frame(failover())])
        assert exporter.flush(0), "without a collector nothing waits"
        text = scrape(exporter)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    (cost,) = [line for line in lines if line.startswith("taximeter_cost_USD_total{")]
    assert 'gen_ai_provider_name="anthropic"' in cost
    assert float(cost.rpartition(" ")[2]) == pytest.approx(0.0000222)
    assert any(line.startswith("taximeter_journal_backlog_bytes{") and line.endswith(" 4711.0") for line in lines)
    assert any(line.startswith("rpc_server_call_duration_seconds_count{") and line.endswith(" 1.0") for line in lines)
    assert CANARY not in text


def test_prometheus_frees_its_port() -> None:
    with exporting(prometheus_port=0) as exporter:
        port = exporter.prometheus_port
    with exporting(prometheus_port=port) as exporter:
        assert exporter.prometheus_port == port


def test_without_a_destination_it_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), exporting() as exporter:
        assert not exporter.enabled
        exporter.handle([frame(failover())])
        assert exporter.flush(0)
        assert not exporter.full
    assert [entry.message for entry in caplog.records if entry.name.startswith("sidecar.")] == [
        "telemetry is off: neither OTEL_EXPORTER_OTLP_ENDPOINT nor TAXIMETER_PROMETHEUS_PORT is set"
    ]


def test_without_a_destination_the_sdk_is_not_even_imported() -> None:
    code = "import sys; from sidecar.bookkeeper.telemetry import *; Exporter(TelemetryOptions())"
    code += "; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

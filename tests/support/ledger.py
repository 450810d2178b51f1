"""Journal frames for ledger tests: invented calls whose every figure follows from their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecar.bookkeeper.batch import START, At, Batch, fold
from sidecar.bookkeeper.ledger import Ledger
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

SIDECAR = "01JSIDECAR0000000000000000"
T0_NS = 1_767_225_600_123_456_789  # 2026-01-01T00:00:00.123456789Z
PROVIDERS = ("openai", "groq", "local")
WORKSPACES = ("default", "acme")


def attempt(seq: int, number: int = 1, *, status: str = "ok") -> journal_pb2.Attempt:
    began = T0_NS + seq * 1_000_000_000 + number * 1000
    return journal_pb2.Attempt(
        number=number,
        provider=PROVIDERS[(seq + number) % 3],
        provider_type="openai",
        model_requested=f"model-{seq % 4}",
        model_reported=f"model-{seq % 4}-2026" if status == "ok" else "",
        status=status,
        error_type="" if status == "ok" else "server_error",
        http_status=200 if status == "ok" else 503,
        finish_reasons=["stop"] if status == "ok" else [],
        started_ns=began,
        first_token_ns=began + 5_000_000 if status == "ok" else None,
        ended_ns=began + 20_000_000,
        usage=usage(seq) if status == "ok" else None,
        usage_source="reported" if status == "ok" else "none",
        cost=cost(seq) if status == "ok" else metering_pb2.Cost(priced=True, amount_picodollars=0),
        circuit="closed",
        bytes_sent=100,
        bytes_received=200,
        span_id=f"{seq:016x}",
        server_address="127.0.0.1",
        server_port=443,
    )


def usage(seq: int) -> metering_pb2.Usage:
    """Every fifth call has zero output, which is not the same as none; images are never known."""
    return metering_pb2.Usage(input_tokens=10 + seq, cache_read_tokens=0, output_tokens=0 if seq % 5 == 0 else seq)


def cost(seq: int) -> metering_pb2.Cost:
    """Every seventh call is unpriced."""
    if seq % 7 == 6:
        return metering_pb2.Cost(priced=False)
    lines = [
        metering_pb2.CostLine(
            meter="input", quantity=10 + seq, price_per_million_picodollars=150_000_000_000, cost_picodollars=seq * 15
        ),
        metering_pb2.CostLine(
            meter="output", quantity=seq, price_per_million_picodollars=600_000_000_000, cost_picodollars=seq + 1
        ),
    ]
    return metering_pb2.Cost(
        priced=True,
        amount_picodollars=seq * 16 + 1,
        price_source="genai-prices",
        price_version="2026-01",
        lines=lines,
    )


def record(seq: int, *, status: str = "ok", attempts: int = 1, sidecar_id: str = SIDECAR) -> journal_pb2.CallRecord:
    """A finished call; with more than one attempt all but the last failed."""
    tries = [attempt(seq, n, status="failed" if n < attempts else "ok") for n in range(1, attempts + 1)]
    began = T0_NS + seq * 1_000_000_000
    return journal_pb2.CallRecord(
        sidecar_id=sidecar_id,
        seq=seq,
        version=1,
        call_id=f"01JCALL{seq:019d}",
        workspace=WORKSPACES[seq % 2],
        caller="token-1",
        alias=("smart", "fast")[seq % 2],
        alias_version=1,
        operation="chat",
        strategy="failover",
        status=status,
        provider_of_record=tries[-1].provider if tries else "",
        provider_type="openai" if tries else "",
        model_requested=f"model-{seq % 4}",
        model_reported=f"model-{seq % 4}-2026",
        fallback_used=attempts > 1,
        fallback_reason="PROVIDER_ERROR" if attempts > 1 else "",
        skips=[journal_pb2.Skip(provider="mistral", model="m", reason="NO_KEY")] if seq % 3 == 0 else [],
        attempts=tries,
        usage=usage(seq) if tries else None,
        usage_source="reported" if tries else "none",
        cost=cost(seq) if tries else metering_pb2.Cost(priced=True, amount_picodollars=0),
        started_ns=began,
        first_token_ns=began + 6_000_000,
        ended_ns=began + 25_000_000,
        duration_ns=25_000_000,
        provider_ns=20_000_000,
        overhead_ns=1_500_999,
        bytes_in=100,
        bytes_out=200,
        trace_id=f"{seq:032x}",
        server_span_id=f"{seq:016x}",
        invoke_span_id=f"{seq:016x}",
        sampled=True,
        tags={"team": f"team-{seq % 3}"},
        rpc_method="taximeter.v1.InvocationService/Invoke",
    )


def opening(seq: int, *, sidecar_id: str = SIDECAR) -> journal_pb2.CallRecord:
    """The same call as its first start frame tells it."""
    known = record(seq, status="open", sidecar_id=sidecar_id)
    for field in ("usage", "cost", "first_token_ns"):
        known.ClearField(field)
    known.ended_ns = known.duration_ns = 0
    known.provider_of_record = ""
    known.attempts[0].CopyFrom(
        journal_pb2.Attempt(
            number=1, provider="openai", model_requested=f"model-{seq % 4}", status="open", started_ns=known.started_ns
        )
    )
    return known


def started(seq: int) -> journal_pb2.Frame:
    return journal_pb2.Frame(started=opening(seq))


def finished(seq: int, **how: object) -> journal_pb2.Frame:
    return journal_pb2.Frame(finished=record(seq, **how))  # type: ignore[arg-type]


def batches(frames: list[journal_pb2.Frame], sizes: Iterable[int], since: At = START) -> Iterator[Batch]:
    """`frames` as one sidecar's journal, a frame a byte, cut into runs of `sizes` (and what is left)."""
    place = since[1]
    pending = list(frames)
    for size in [*sizes, len(pending)]:
        run, pending = pending[:size], pending[size:]
        if run:
            yield fold(SIDECAR, (since[0], place), (since[0], place + len(run)), run)
            place += len(run)


def rows(ledger: Ledger, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    with ledger.reading() as reader:
        return reader.execute(sql, parameters).fetchall()

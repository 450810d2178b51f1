"""Attempts in a row at one provider and model: what one CLIENT span and one measurement stand for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sidecar.bookkeeper.telemetry import constants as otel
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

SECOND_NS = 1e9
FAILED = frozenset({"failed", "abandoned"})
"""Attempt states that are an error of the provider's or ours; being cancelled is the caller's choice."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Attempts in a row at one provider and model: one CLIENT span, one measurement of duration."""

    attempts: Sequence[journal_pb2.Attempt]
    start_ns: int
    end_ns: int
    usage: Mapping[str, int] = field(default_factory=dict)
    """Of all its attempts, by the fields of `constants.USAGE`; what no attempt told is absent."""

    @property
    def last(self) -> journal_pb2.Attempt:
        return self.attempts[-1]

    @property
    def failed(self) -> bool:
        return self.last.status in FAILED

    @property
    def error_type(self) -> str:
        """The HTTP status where there was one, else our name of the fault; empty if it went well."""
        if self.last.status == "ok":
            return ""
        return str(self.last.http_status) if self.last.http_status >= 400 else self.last.error_type

    @property
    def first_chunk_s(self) -> float | None:
        """From sending the request that was answered to its first chunk."""
        if not self.last.HasField("first_token_ns"):
            return None
        return max(self.last.first_token_ns - self.last.started_ns, 0) / SECOND_NS


def exchanges(record: journal_pb2.CallRecord) -> Iterator[Exchange]:
    for _, group in groupby(record.attempts, key=lambda attempt: (attempt.provider, attempt.model_requested)):
        attempts = list(group)
        ended = attempts[-1].ended_ns if attempts[-1].HasField("ended_ns") else record.ended_ns
        start = attempts[0].started_ns
        yield Exchange(attempts, start, max(ended, start), _sum_usage([attempt.usage for attempt in attempts]))


def operation_name(record: journal_pb2.CallRecord) -> str:
    return otel.OPERATION_NAMES.get(record.operation, record.operation)


def provider_name(attempt: journal_pb2.Attempt, names: Mapping[str, str]) -> str:
    """`gen_ai.provider.name`: the convention's name of the type, else the type itself."""
    return names.get(attempt.provider_type) or attempt.provider_type or attempt.provider


def _sum_usage(usages: Sequence[metering_pb2.Usage]) -> dict[str, int]:
    found = {}
    for name in otel.USAGE:
        counts = [getattr(usage, name) for usage in usages if usage.HasField(name)]  # type: ignore[arg-type]  # as above
        if counts:
            found[name] = sum(counts)
    return found

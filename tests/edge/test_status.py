"""Refusal -> google.rpc.Status, read back with googleapis' own types."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details  # type: ignore[import-untyped]  # googleapis ships no stubs

from sidecar.core.call import AttemptStatus, CallStatus
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import status
from taximeter.v1 import metering_pb2
from tests.support.edge import attempt, record


def part(told: Any, kind: Any) -> Any:
    """The one detail of this kind; None if there is none."""
    for packed in told.details:
        if packed.Is(kind.DESCRIPTOR):
            message = kind()
            packed.Unpack(message)
            return message
    return None


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_travels_under_our_domain(reason: RefusalReason) -> None:
    told = status.to_status(Refusal("UNAVAILABLE", reason, "why", {"provider": "openai"}))
    info = part(told, details.ErrorInfo)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason.value, "taximeter", {"provider": "openai"})
    assert (status.code_of(told), told.message) == (grpc.StatusCode.UNAVAILABLE, "why")


@pytest.mark.parametrize("name", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_has_a_number(name: str) -> None:
    assert status.code_of(status.to_status(Refusal(name, RefusalReason.INTERNAL, ""))).name == name


def test_a_wait_travels_as_retry_info() -> None:
    told = status.to_status(Refusal("UNAVAILABLE", RefusalReason.OVERLOADED, "", retry_after_s=1.5))
    assert part(told, details.RetryInfo).retry_delay.ToMilliseconds() == 1500


def test_violations_travel_as_bad_request() -> None:
    refusal = Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, "", field_violations=(("call.alias", "bad"),))
    (violation,) = part(status.to_status(refusal), details.BadRequest).field_violations
    assert (violation.field, violation.description) == ("call.alias", "bad")


def test_a_budget_travels_as_quota_failure() -> None:
    refusal = Refusal("RESOURCE_EXHAUSTED", RefusalReason.BUDGET_EXCEEDED, "Budget reached", {"subject": "workspace:a"})
    (violation,) = part(status.to_status(refusal), details.QuotaFailure).violations
    assert (violation.subject, violation.description) == ("workspace:a", "Budget reached")


def test_a_metered_call_travels_with_its_metering() -> None:
    told = status.to_status(Refusal("UNAVAILABLE", RefusalReason.ALL_ATTEMPTS_FAILED, "x"), record())
    assert part(told, metering_pb2.Metering).call_id == "01CALL"
    assert part(told, details.ErrorInfo).metadata["call_id"] == "01CALL"


@pytest.mark.parametrize("text", ["x" * 5000, "字" * 5000], ids=["ascii", "wide"])
def test_details_fit_into_a_trailer_whatever_providers_say(text: str) -> None:
    """gRPC refuses metadata beyond 8 KiB: the caller would then see no reason at all."""
    failed = attempt(status=AttemptStatus.FAILED, error_type="server_error", message=text)
    refusal = Refusal("UNAVAILABLE", RefusalReason.ALL_ATTEMPTS_FAILED, text, {"detail": text})
    told = status.to_status(refusal, record(status=CallStatus.ERROR, attempts=(failed,) * 20))
    assert status.trailer_bytes(told) <= status.MAX_TRAILER_BYTES
    assert part(told, metering_pb2.Metering).call_id == "01CALL"


@pytest.mark.parametrize("letter", ["x", "字", "🚕"])
def test_violations_fit_into_a_trailer_whatever_fields_are_called(letter: str) -> None:
    found = tuple((letter * 500, letter * 500) for _ in range(8))
    refusal = Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, letter * 3000, field_violations=found)
    told = status.to_status(refusal, record(alias=letter * 128))
    assert status.trailer_bytes(told) <= status.MAX_TRAILER_BYTES
    assert part(told, details.BadRequest).field_violations

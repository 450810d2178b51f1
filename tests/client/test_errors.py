"""Each reason of the sidecar has its exception."""

from __future__ import annotations

import pytest

from sidecar.core.call import CallStatus
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import status
from taximeter import errors
from tests.support.edge import record


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_has_an_exception(reason: RefusalReason) -> None:
    assert reason.value in errors.BY_REASON


def told(refusal: Refusal, *, metered: bool = False) -> errors.TaximeterError:
    made = status.to_status(refusal, record(status=CallStatus.ERROR) if metered else None)
    return errors.from_status(status.code_of(made).name, made.message, status.trailers(made))


def test_all_that_a_status_says_is_read() -> None:
    refusal = Refusal(
        "RESOURCE_EXHAUSTED",
        RefusalReason.BUDGET_EXCEEDED,
        "Budget reached",
        {"subject": "workspace"},
        retry_after_s=1.5,
        field_violations=(("call.alias", "is bad"),),
    )
    error = told(refusal, metered=True)
    assert type(error) is errors.BudgetExceeded
    assert (error.reason, error.code, str(error)) == ("BUDGET_EXCEEDED", "RESOURCE_EXHAUSTED", "Budget reached")
    assert error.retry_after_s == 1.5
    assert error.violations == (("call.alias", "is bad"),)
    assert error.metadata["subject"] == "workspace"
    assert error.call_id == "01CALL"
    assert error.metering is not None
    assert error.metering.usage.input_tokens == 10


def test_what_never_became_a_call_has_no_id() -> None:
    error = told(Refusal("UNAUTHENTICATED", RefusalReason.UNAUTHENTICATED, "who?"))
    assert (error.call_id, error.metering, error.retry_after_s) == ("", None, None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UNAVAILABLE", errors.SidecarUnavailable),
        ("DEADLINE_EXCEEDED", errors.DeadlineExceeded),
        ("CANCELLED", errors.Cancelled),
        ("DATA_LOSS", errors.TaximeterError),
    ],
)
@pytest.mark.parametrize(
    "trailers", [(), (("grpc-status-details-bin", b"\xff\xff"),)], ids=["no-details", "garbled-details"]
)
def test_without_details_the_code_decides(
    code: str, kind: type[errors.TaximeterError], trailers: tuple[tuple[str, bytes], ...]
) -> None:
    assert type(errors.from_status(code, "m", trailers)) is kind

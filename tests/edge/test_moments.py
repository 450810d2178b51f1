"""Times in requests: those that are none are the caller's mistake."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.core.faults import Refusal
from sidecar.edge.moments import ns_of


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected_ns"),
    [
        pytest.param(0, 0, 0, id="1970"),
        pytest.param(1_780_000_000, 5, 1_780_000_000_000_000_005, id="today"),
        pytest.param(-1, 0, -1_000_000_000, id="before 1970"),
        pytest.param(9_223_372_036, 854_775_807, 2**63 - 1, id="the last one"),
    ],
)
def test_a_time_is_nanoseconds(seconds: int, nanos: int, expected_ns: int) -> None:
    assert ns_of(Timestamp(seconds=seconds, nanos=nanos), "at") == expected_ns


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        pytest.param(2**63 - 1, 0, id="no year at all"),
        pytest.param(-(2**63), 0, id="before all years"),
        pytest.param(253_402_300_799, 0, id="9999"),
        pytest.param(9_223_372_036, 854_775_808, id="one too late"),
        pytest.param(0, -1, id="negative nanoseconds"),
        pytest.param(0, 2_000_000_000, id="two seconds of nanoseconds"),
    ],
)
def test_what_is_none_is_refused_by_its_field(seconds: int, nanos: int) -> None:
    with pytest.raises(Refusal) as told:
        ns_of(Timestamp(seconds=seconds, nanos=nanos), "expires_at")
    assert told.value.grpc_status == "INVALID_ARGUMENT"
    assert told.value.field_violations[0][0] == "expires_at"

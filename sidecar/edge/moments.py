"""Points in time, as requests name them."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.edge.decode import invalid

_LAST_NS = 2**63 - 1
"""In the year 2262: what a column of 64 bits holds."""


def ns_of(moment: Timestamp, field: str) -> int:
    """UTC nanoseconds. Raises Refusal (INVALID_REQUEST): a Timestamp has room for what is no time."""
    try:
        ns = moment.ToNanoseconds()
    except ValueError:
        ns = _LAST_NS + 1
    if not -_LAST_NS <= ns <= _LAST_NS:
        raise invalid([(field, "is no time between the years 1678 and 2262")])
    return ns

"""W3C Trace Context, level 1, as read from call metadata (https://www.w3.org/TR/trace-context-1/#traceparent-header)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sidecar.core import ids
from sidecar.core.call import Trace

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


def parse(traceparent: str) -> Trace | None:
    """The caller's trace, or None for anything the standard calls invalid (upper case and all-zero ids included)."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Trace(trace_id=trace_id, parent_span_id=span_id, sampled=bool(int(flags, 16) & 1))


def trace_of(traceparents: Sequence[str], new_trace_id: Callable[[], str] = ids.trace_id) -> Trace:
    """The trace that a call belongs to: exactly one valid header, else a beginning of our own."""
    told = parse(traceparents[0]) if len(traceparents) == 1 else None
    return told or Trace(trace_id=new_trace_id())

"""What the log says of a fault and of what follows from it (LOG_LEVEL=debug)."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.core.faults import Fault
from sidecar.invoker.live import Live
from sidecar.retry import Again, Move, Next, Stop


def told(live: Live, fault: Fault, move: Move, others: Sequence[str]) -> dict[str, object]:
    """`others`: the targets not tried yet. Never what the provider has said."""
    values: dict[str, object] = {
        "attempt": live.number,
        "target": str(live.planned),
        "error": fault.error_type,
        "http_status": live.http_status or fault.http_status,
        "retry_after_s": fault.retry_after_s,
    }
    match move:
        case Again(after_s, other_key):
            return values | {"next": f"{live.planned} again", "after_s": round(after_s, 3), "other_key": other_key}
        case Next(reason, place):
            return values | {"next": others[place], "reason": reason.value}
        case Stop(reason_):
            return values | {"next": "", "reason": reason_.value}

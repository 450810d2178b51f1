"""The four waits as files spell them."""

from __future__ import annotations

from sidecar.core.call import Timeouts
from sidecar.settings import units
from sidecar.settings.tables import Table

TIMEOUTS = ("connect", "ttft", "response", "stall")


def read_timeouts(table: Table) -> Timeouts:
    """{connect = "5s", ttft = 10, ...}; what is absent is left to the next in line."""
    table.check(TIMEOUTS)
    return Timeouts(**{f"{name}_s": table.read(name, units.duration_s) for name in TIMEOUTS})

"""Which of its waits an account's scenario is about; the others must not end anything, however slow the machine is."""

from __future__ import annotations

from collections.abc import Collection

from tests.failover.table import SCALE

WAITS = ("connect", "ttft", "response", "stall")
TOO_LONG_S = 60 / SCALE


def timeouts(own: Collection[str] = ()) -> str:
    """An account's `timeouts` in taximeter.toml: too long to matter, but for those left at the system's."""
    waits = ", ".join(f'{wait} = "{TOO_LONG_S:g}s"' for wait in WAITS if wait not in own)
    return f"{{ {waits} }}"

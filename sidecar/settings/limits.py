"""The limits of an account as files and variables spell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.catalog import NO_LIMITS, RateLimits
from sidecar.settings import units

LIMITS = ("max_concurrent", "requests_per_minute", "tokens_per_minute")
LIMIT_FIELDS = tuple(f"limits.{name}" for name in LIMITS)
"""As in Draft."""
LIMIT_VARIABLES = {
    "MAX_CONCURRENT": "limits.max_concurrent",
    "RPM": "limits.requests_per_minute",
    "TPM": "limits.tokens_per_minute",
}
"""AI_<NAME>_<this> -> field."""
read_limit = units.integer(1)


def limits_of(read: Mapping[str, Any]) -> RateLimits:
    """From the fields of an account, as read."""
    found = {name: read[f"limits.{name}"] for name in LIMITS if f"limits.{name}" in read}
    return RateLimits(**found) if found else NO_LIMITS

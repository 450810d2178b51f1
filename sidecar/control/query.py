"""What can be asked of the audit. Imports no database, so that whoever asks need not either."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries; what is None or empty is not asked for."""

    workspace: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    """Exclusive."""
    action: str = ""
    """ "key.add", or "key" for all that was done to keys."""
    actor: str = ""
    subject: str = ""
    before_sequence: int | None = None
    """The newest first, from those before this."""
    after_sequence: int | None = None
    """The oldest first, from those behind this."""
    limit: int = 100

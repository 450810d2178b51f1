"""Where a page runs, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, field

EVERYWHERE = ("auditor", "operator")
"""Roles that see all workspaces."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. What they may see is decided here, and held to in data.py."""

    workspace: str | None = None
    """The only one that they see; None: all of them."""
    role: str = "operator"
    """member, viewer, admin (of their workspace), auditor or operator (of all)."""
    name: str = ""
    """A token's id, or who an identity provider says it is; empty: nobody signed in."""
    token: str = field(default="", repr=False)
    """What they showed, to be shown to the sidecar for them; empty: as whoever runs the dashboard."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a page needs to know of where it runs."""

    home: str
    trace_url: str = ""
    """With "{trace_id}" in it; empty: traces are named and not linked."""
    who: Viewer = field(default_factory=Viewer)

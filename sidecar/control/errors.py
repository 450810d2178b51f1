"""What goes wrong with the control store. Every message says what to do, and none holds a password."""

from __future__ import annotations


class CannotOpen(Exception):
    """The store cannot be opened: who may call is not known, so a sidecar does not start."""


class StoreTooNew(CannotOpen):
    """A newer Taximeter has been here."""


class StoreUnavailable(Exception):
    """The store does not answer just now.

    `uncertain`: it was lost while a change was being committed, which may have been made or not.
    """

    def __init__(self, why: str, *, uncertain: bool = False) -> None:
        super().__init__(why)
        self.uncertain = uncertain

"""What SIGHUP means: a terminal that was closed, or somebody who wants the configuration read again."""

from __future__ import annotations

import os


def has_terminal() -> bool:
    """Whether this process has a controlling terminal just now: one that was closed cannot be opened any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


class Hangup:
    """Made at the start. A process that lost the terminal it began at is meant to end, as before."""

    def __init__(self) -> None:
        self._had_terminal = has_terminal()

    def means_stop(self) -> bool:
        return self._had_terminal and not has_terminal()

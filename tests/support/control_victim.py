"""A process that changes the control store until it is killed: `python -m tests.support.control_victim URL MODE`.

`pairs`: puts two workspaces a change, and a line on standard output when they are there. `half`: puts one, says so,
and stands still before the change is whole.
"""

from __future__ import annotations

import sys
import threading

from sidecar.control.change import Change
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Workspace
from tests.support.control import ACTOR


def main(url: str, mode: str) -> None:
    store = ControlStore(url, Clock())
    for number in range(10**6):

        def do(change: Change, number: int = number) -> None:
            change.put("workspace.create", Workspace(f"left-{number}"))
            if mode == "half":
                print("half", flush=True)
                threading.Event().wait()
            change.put("workspace.create", Workspace(f"right-{number}"))

        store.change(ACTOR, do)
        print(number, flush=True)


main(sys.argv[1], sys.argv[2])

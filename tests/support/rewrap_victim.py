"""A process that wraps all data keys anew until it is killed: `python -m tests.support.rewrap_victim URL NEW OLD STOP`.

A line on standard output for each that is done; at number STOP it says "half" within the change, and stands still.
"""

from __future__ import annotations

import sys
import threading

from sidecar.control.change import Change
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.plane.keyring import Keyring
from sidecar.vault import Vault
from tests.support.control import ACTOR
from tests.support.vault import vault


def rewrap(store: ControlStore, safe: Vault, stop: int = -1) -> int:
    """As KeyService does it: a change for each data key. Returns how many."""
    ring, done = Keyring(safe), 0
    for number, data_key in enumerate(safe.stale(store.read().data_keys.values())):

        def do(change: Change, number: int = number, data_key_id: str = data_key.data_key_id) -> bool:
            made = ring.rewrap(change, data_key_id)
            if number == stop:
                print("half", flush=True)
                threading.Event().wait()
            return made

        done += store.change(ACTOR, do)
        print(data_key.data_key_id, flush=True)
    return done


if __name__ == "__main__":
    url, new, old, at = sys.argv[1:]
    rewrap(ControlStore(url, Clock()), vault(new, old), int(at))
    print("all", flush=True)
    threading.Event().wait()

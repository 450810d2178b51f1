"""The key that the vault begins with: made by `taximeter up`, once, where nothing else is set and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.commands.context import err, out

if TYPE_CHECKING:
    from sidecar.settings import Loaded


def ensure_key(loaded: Loaded) -> None:
    """Says loudly what it made, or what is missing. A key that cannot be written leaves the vault locked."""
    path = loaded.encryption.home_file
    if loaded.encryption.named or path.exists():
        return
    locked = _data_keys(loaded)
    if locked is None:
        return
    if locked:
        err.print(_missing(path, locked), markup=False, style="bold red")
        return
    from sidecar.vault import keyfile

    try:
        keyfile.make(path)
    except OSError as error:
        err.print(f"No encryption key could be made: {path}: {error.strerror}", markup=False, style="yellow")
        return
    out.print(_made(path), markup=False, style="bold yellow")


def _data_keys(loaded: Loaded) -> int | None:
    """How many the control store has; None: it cannot be asked, and the sidecar will say why."""
    url = loaded.settings.control_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return 0
    from sidecar.control.errors import CannotOpen, StoreUnavailable
    from sidecar.control.store import ControlStore
    from sidecar.core.clock import Clock

    try:
        store = ControlStore(url, Clock())
    except CannotOpen:
        return None
    try:
        return len(store.read().data_keys)
    except StoreUnavailable:
        return None
    finally:
        store.close()


def _made(path: Path) -> str:
    return (
        f"*** A key was made to encrypt the provider keys of workspaces with: {path} ***\n"
        "    Keep a copy of it where no backup of this folder goes. If it is lost, those provider keys cannot be\n"
        "    read any more and have to be added again; calls with keys from the environment go on.\n"
    )


def _missing(path: Path, locked: int) -> str:
    keys = f"{locked} data key{'s' * (locked > 1)}"
    return (
        f"*** The encryption key is missing: {keys} in the control plane need one that is neither set nor in ***\n"
        f"    {path}\n"
        "    Put it back, there or as AI_ENCRYPTION_KEY: until then the provider keys of workspaces are locked. No\n"
        "    new one is made in its place. If it is lost for good, set another one and add those keys again.\n"
    )

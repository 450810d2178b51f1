"""The file of a key-encryption key: for its owner only, made once."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from sidecar.core.encryption import KEY_BYTES, Passphrase, RawKey, read_key

_OTHERS = 0o037
"""What the group may not do either: write or run it. Reading it may: that is how Kubernetes mounts a secret."""
_GROUP_TOO = 0o077
_LONGEST_BYTES = 4096


def read(path: Path) -> RawKey | Passphrase:
    """Raises ValueError, whose message goes behind the path."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(_LONGEST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    own = found.st_uid == os.geteuid()
    if found.st_mode & (_GROUP_TOO if own else _OTHERS):
        raise ValueError(f"can be read or changed by others (mode {found.st_mode & 0o777:04o}): chmod 600 {path}")
    try:
        return read_key(text.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError("holds no text: make it with `openssl rand -base64 32`") from None


def make(path: Path) -> None:
    """Mode 0600, on disk when this returns. Raises FileExistsError, OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = base64.b64encode(os.urandom(KEY_BYTES)) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

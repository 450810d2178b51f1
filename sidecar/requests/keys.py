"""What a request is known by: nothing of it can be read back."""

from __future__ import annotations

import hashlib

CALL_BYTES = 16
KEY_BYTES = 16
DIGEST_BYTES = 16
"""Kept of a request's own 32: 2^64 tries find two bodies that agree, which would only cheat whoever made them."""
NO_DIGEST = bytes(DIGEST_BYTES)

_ULID_CHARACTERS = 26
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PYTHON = "0123456789abcdefghijklmnopqrstuv"
_TO_PYTHON = str.maketrans(_CROCKFORD, _PYTHON)


def key_of(workspace: str, request_id: str) -> bytes:
    """KEY_BYTES. Of another workspace the same id is another key."""
    return hashlib.blake2b(f"{workspace}\0{request_id}".encode(), digest_size=KEY_BYTES).digest()


def short(digest: bytes) -> bytes:
    """DIGEST_BYTES of a request's digest; NO_DIGEST of none."""
    return digest[:DIGEST_BYTES].ljust(DIGEST_BYTES, b"\0")


def same(one: bytes, other: bytes) -> bool:
    """Whether two short digests may be of one request: what has none (zero retention) is not told apart."""
    return NO_DIGEST in (one, other) or one == other


def packed(call_id: str) -> bytes:
    """A ULID as CALL_BYTES; zeros for what is none."""
    try:
        return int(call_id.translate(_TO_PYTHON), 32).to_bytes(CALL_BYTES, "big")
    except (ValueError, OverflowError):
        return bytes(CALL_BYTES)


def unpacked(data: bytes) -> str:
    """The ULID; empty for zeros."""
    value = int.from_bytes(data, "big")
    if not value:
        return ""
    digits = (_CROCKFORD[value >> shift & 31] for shift in range(5 * (_ULID_CHARACTERS - 1), -1, -5))
    return "".join(digits)

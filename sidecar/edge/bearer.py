"""The text of a caller's token: "txm_<token id>_<secret>". The id is public, of the secret only a hash is kept."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

PREFIX = "txm_"
_ID_BYTES = 8
_ID_CHARACTERS = 12
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Made:
    token_id: str
    """12 lower-case letters and digits (base 32)."""
    text: str = field(repr=False)
    """What its owner gets, once."""
    secret_hash: bytes = field(repr=False)


def make() -> Made:
    token_id = base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode()[:_ID_CHARACTERS].lower()
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return Made(token_id, f"{PREFIX}{token_id}_{secret}", hashed(secret))


def taken_apart(text: str) -> tuple[str, str]:
    """(token id, secret) of a text that begins with PREFIX; what either is worth is for a comparison to say."""
    token_id, _, secret = text[len(PREFIX) :].partition("_")
    return token_id, secret


def hashed(secret: str) -> bytes:
    """32 bytes. SHA-256 will do: a secret of 256 random bits cannot be guessed, however fast guesses are checked."""
    return hashlib.sha256(secret.encode()).digest()

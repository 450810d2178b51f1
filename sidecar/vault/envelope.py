"""AES-256-GCM: format byte, 96 random bits of nonce, ciphertext with its tag; bound to a context that is not stored."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sidecar.vault.faults import Tampered

FORMAT = b"\x01"
NONCE_BYTES = 12

Context = Mapping[str, str]
"""What a ciphertext belongs to. It opens only where every name and every value is the same."""


def encoded(context: Context) -> bytes:
    """As associated data: sorted, each part behind its length, so that no two contexts give the same bytes."""
    parts = [text.encode() for item in sorted(context.items()) for text in item]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(key: bytes, plain: bytes, context: Context, form: bytes = FORMAT) -> bytes:
    """`key`: 32 bytes. `form` begins the result, and is bound too."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return form + nonce + AESGCM(key).encrypt(nonce, plain, form + encoded(context))


def unseal(key: bytes, sealed: bytes, context: Context, form: bytes = FORMAT) -> bytes:
    """Raises Tampered: another key, another context, or changed bytes."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not sealed.startswith(form):
        raise Tampered("it is not of a format that this version writes")
    nonce, rest = sealed[len(form) : len(form) + NONCE_BYTES], sealed[len(form) + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, rest, form + encoded(context))
    except (InvalidTag, ValueError):  # ValueError: a nonce that was cut short
        raise Tampered("it was changed, or put in another's place") from None

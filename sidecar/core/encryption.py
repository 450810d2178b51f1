"""Key-encryption keys as people write them down: text of a variable or a file -> a key, a passphrase, or why not."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

KEY_BYTES = 32
MAKE_ONE = "make one with `openssl rand -base64 32`"
_PASSPHRASE_CHARACTERS = 12
_DISTINCT_CHARACTERS = 5
_DISTINCT_BYTES = 12
"""Chance gives 32 bytes fewer than this about once in 10^20 keys."""
_PLACEHOLDER = re.compile(
    "(?:your|yours|my|our|the|this|that|an|a|is|be|to|with|of|in|it|me|us|here|please|some|any|own|new|real|very|"
    "change|replace|insert|enter|add|put|set|paste|generate|update|fill|todo|must|"
    "encryption|encrypt|secret|key|value|password|passphrase|passwd|pass|master|token|string|text|random|secure|strong|"
    "example|sample|test|testing|dummy|default|placeholder|fake|demo|dev|development|prod|production|"
    "bytes|byte|base|hex|long|characters|character|chars|char|bit|bits|xx+|[0-9])+"
)
_PLACEHOLDER_CHARACTERS = 64
_KMS = {
    "aws-kms": re.compile(r"(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/|alias/)?[A-Za-z0-9/_-]+"),
    "gcp-kms": re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+"),
    "vault-transit": re.compile(r"(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[^\s?#@]+/keys/[^/\s?#@]+"),
}
_KMS_LIKE = {
    "aws-kms": "arn:aws:kms:REGION:ACCOUNT:key/ID",
    "gcp-kms": "projects/P/locations/L/keyRings/R/cryptoKeys/K",
    "vault-transit": "https://HOST:8200/transit/keys/NAME (https, unless it is this machine)",
}


@dataclass(frozen=True, slots=True)
class RawKey:
    """32 bytes of chance."""

    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passphrase:
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EncryptionSettings:
    """Where key-encryption keys come from. The first that is set is the current one; all others may still open."""

    kms: str = ""
    """ "aws-kms:<arn>", "gcp-kms:<resource>", "vault-transit:<url>"."""
    key: str = field(default="", repr=False)
    """As AI_ENCRYPTION_KEY has it, not yet looked at."""
    key_file: Path | None = None
    home_file: Path = Path()
    """<home>/encryption.key: read if it is there, made by `taximeter up`."""
    previous: tuple[str, ...] = field(default=(), repr=False)
    """Keys, "file:<path>", or kms; of which new data keys are not wrapped any more."""
    transit_token: str = field(default="", repr=False)
    transit_namespace: str = ""

    @property
    def named(self) -> bool:
        """Whether any but the file in the home is to be the current one."""
        return bool(self.kms or self.key or self.key_file)


def read_key(text: str) -> RawKey | Passphrase:
    """32 bytes as hex or base64 (of either alphabet), else a passphrase. Raises ValueError, without `text` in it."""
    text = text.strip()
    raw = _decoded(text)
    if _is_placeholder(text) or (raw is not None and _is_pattern(raw)):
        raise ValueError(f"is a placeholder, not a key: {MAKE_ONE}")
    if raw is not None:
        return RawKey(raw)
    if len(text) < _PASSPHRASE_CHARACTERS:
        raise ValueError(f"is shorter than {_PASSPHRASE_CHARACTERS} characters: {MAKE_ONE}")
    if not text.isprintable():
        raise ValueError(f"holds unprintable characters: {MAKE_ONE}")
    return Passphrase(text)


def read_kms(text: str) -> tuple[str, str]:
    """ "aws-kms:<arn>" -> ("aws-kms", "<arn>"). Raises ValueError."""
    kind, _, name = text.strip().partition(":")
    if kind not in _KMS:
        raise ValueError(f"is none of {', '.join(f'{each}:...' for each in _KMS)}")
    if not _KMS[kind].fullmatch(name):
        raise ValueError(f"does not name a key like {kind}:{_KMS_LIKE[kind]}")
    return kind, name


def is_kms(text: str) -> bool:
    return text.strip().partition(":")[0] in _KMS


def _decoded(text: str) -> bytes | None:
    """None: not 32 bytes in any of the spellings."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", text):
        try:
            standard = text.rstrip("=").replace("-", "+").replace("_", "/")
            return base64.b64decode(f"{standard}=", validate=True)
        except binascii.Error:
            return None
    return None


def _is_placeholder(text: str) -> bool:
    letters = re.sub(r"[^a-z0-9]", "", text.lower())
    if len(set(text)) < _DISTINCT_CHARACTERS or text.startswith(("<", "${", "{{")):
        return True
    return len(letters) <= _PLACEHOLDER_CHARACTERS and _PLACEHOLDER.fullmatch(letters) is not None


def _is_pattern(raw: bytes) -> bool:
    """Few bytes over and over, or counted up."""
    steps = {(after - before) % 256 for before, after in pairwise(raw)}
    return len(set(raw)) < _DISTINCT_BYTES or len(steps) == 1

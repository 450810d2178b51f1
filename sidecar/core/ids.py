"""Identifiers that we make ourselves: never the caller's, never the provider's."""

import secrets
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def ulid(wall_ns: Callable[[], int] = time.time_ns, random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """A ULID: 48 bits of milliseconds, 80 of chance, 26 characters that sort by time."""
    value = ((wall_ns() // 1_000_000) & ((1 << 48) - 1)) << 80 | random_bits(80)
    return _text(value)


def _text(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def ulid_after(
    earlier: str, wall_ns: Callable[[], int] = time.time_ns, random_bits: Callable[[int], int] = secrets.randbits
) -> str:
    """A ULID that sorts behind `earlier`, whatever the clock says; empty: any."""
    made = ulid(wall_ns, random_bits)
    if made > earlier:
        return made
    value = 0
    for character in earlier:
        value = value << 5 | _ALPHABET.index(character)
    return _text(value + 1)


def trace_id(random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """W3C trace id, 32 hex digits, never all zero."""
    return f"{random_bits(128) or 1:032x}"


def span_id(random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """W3C span id, 16 hex digits, never all zero."""
    return f"{random_bits(64) or 1:016x}"

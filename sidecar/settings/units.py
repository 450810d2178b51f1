"""Readers of single values: text from a variable, or the typed value of a file. Each raises ValueError for people."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar
from urllib.parse import unquote, urlsplit

_DURATION_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]*)")
_SHOWN = 24
_POSTGRESQL = re.compile(
    r"(?P<scheme>postgres(?:ql)?(?:\+psycopg)?://)(?:(?P<user>[^:/?#@]*)(?::[^/?#@]*)?(?=@))?"
    r"(?P<place>@?[^/?#@]*/[^/?#@]+)(?:\?.*)?"
)

E = TypeVar("E", bound=StrEnum)
Number = TypeVar("Number", int, float)


def shown(raw: object) -> str:
    """A value in an error, if it is too short to be a secret put in the wrong place."""
    text = str(raw)
    return f"'{text}'" if len(text) <= _SHOWN and text.isprintable() else "the value"


def string(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(f"{shown(raw)} is not a text")
    if not raw.isprintable():
        raise ValueError("the value holds unprintable characters")
    return raw.strip()


def boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    match str(raw).strip().lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError(f"{shown(raw)} is neither true nor false")


def integer(least: int = 0, most: int = 10**12) -> Callable[[object], int]:
    def read(raw: object) -> int:
        text = str(raw).strip().replace("_", "")
        if isinstance(raw, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(f"{shown(raw)} is not a whole number from {least} to {most}")
        return int(text)

    return read


def decimal(least: float = 0.0, most: float = 1e9) -> Callable[[object], float]:
    def read(raw: object) -> float:
        try:
            number = math.nan if isinstance(raw, bool) else float(str(raw))
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{shown(raw)} is not a number from {least:g} to {most:g}")
        return number

    return read


port = integer(0, 65535)


def duration_s(raw: object) -> float:
    """Seconds: 90, "90", "250ms", "10s", "5m", "12h", "7d", "2w"; more than nothing."""
    number, unit = _quantity(raw, "s")
    if unit not in _DURATION_S or number <= 0:
        raise ValueError(f"{shown(raw)} is not a duration like 10s, 5m or 7d")
    return number * _DURATION_S[unit]


def every_s(at_least_s: float) -> Callable[[object], float]:
    """Seconds between two times, 0 for never: "0", "off" and "never", or a duration."""

    def read(raw: object) -> float:
        if str(raw).strip().lower() in ("0", "0s", "off", "never", "false"):
            return 0.0
        interval_s = duration_s(raw)
        if interval_s < at_least_s:
            raise ValueError(f"{shown(raw)} is more often than every {at_least_s:g} s")
        return interval_s

    return read


def size_bytes(raw: object) -> int:
    """Bytes: 1048576, "16MiB", "1GB"; more than nothing."""
    number, unit = _quantity(raw, "")
    if unit not in _SIZE_BYTES or number * _SIZE_BYTES[unit] < 1:
        raise ValueError(f"{shown(raw)} is not a size like 65536, 16MiB or 1GB")
    return int(number * _SIZE_BYTES[unit])


def _quantity(raw: object, unit: str) -> tuple[float, str]:
    match = None if isinstance(raw, bool) else _QUANTITY.fullmatch(str(raw).strip())
    return (float(match[1]), match[2].lower() or unit) if match else (0.0, unit)


def one_of(*names: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        name = str(raw).strip().lower()
        if name not in names:
            raise ValueError(f"{shown(raw)} is none of {', '.join(names)}")
        return name

    return read


def member(kind: type[E]) -> Callable[[object], E]:
    """A StrEnum's member by value; "_" and "-" are the same."""
    spellings = {item.value.replace("_", "-"): item for item in kind}

    def read(raw: object) -> E:
        if (found := spellings.get(str(raw).strip().lower().replace("_", "-"))) is None:
            raise ValueError(f"{shown(raw)} is none of {', '.join(item.value for item in kind)}")
        return found

    return read


def names(raw: object) -> tuple[str, ...]:
    """ "a, b" or ["a", "b"]."""
    parts = raw if isinstance(raw, list) else str(raw).split(",")
    return tuple(dict.fromkeys(string(part) for part in parts if str(part).strip()))


def pairs(raw: object) -> Mapping[str, str]:
    """ "a=1,b=2" with percent-encoding, as OTel's variables are written."""
    found = {}
    for part in filter(None, (piece.strip() for piece in str(raw).split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("the value is not a list like name=value,name=value")
        found[unquote(name.strip())] = unquote(value.strip())
    return found


def secret(raw: object) -> str:
    """A key as a header can carry it. Never shown."""
    if not isinstance(raw, str) or not re.fullmatch(r"[\x21-\x7e]+", raw):
        raise ValueError("the key holds characters that no HTTP header can carry")
    return raw


def url(raw: object) -> str:
    """An http(s) base URL without credentials, query or fragment, and without a final slash. Never shown."""
    try:
        parts = urlsplit(string(raw))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("the value is not an http or https URL") from None
    if not valid or " " in str(raw).strip():
        raise ValueError("the value is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds credentials: a key has its own variable")
    if parts.query or parts.fragment:
        raise ValueError("the URL has a query or a fragment; only its beginning is wanted")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def control_url(raw: object) -> str:
    """sqlite:///<path>, or PostgreSQL's URL with its user, password and options. Never shown."""
    text = string(raw)
    if not (_POSTGRESQL.fullmatch(text) or re.fullmatch(r"sqlite:///.+", text)):
        raise ValueError(
            "the value is neither sqlite:///<path> nor postgresql://user:password@host/database (a password's /?#@ "
            "percent-encoded)"
        )
    return text


def without_password(store: str) -> str:
    """A control URL for people: neither its password nor its options, which may hold one."""
    found = _POSTGRESQL.fullmatch(store)
    return "".join(filter(None, found.group("scheme", "user", "place"))) if found else store


def trace_url(raw: object) -> str:
    """Where a trace is shown: an http(s) URL with "{trace_id}" in it."""
    text = string(raw)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or "{trace_id}" not in text or " " in text:
        raise ValueError(f"{shown(raw)} is not a URL like http://localhost:16686/trace/{{trace_id}}")
    return text


def address(raw: object) -> str:
    """host:port to listen on; "none" (an empty text here) for no TCP at all."""
    text = str(raw).strip()
    if text.lower() == "none":
        return ""
    host, colon, number = text.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", host):
        raise ValueError(f"{shown(raw)} is not an address like 127.0.0.1:50051")
    return f"{host}:{port(number)}"


def is_loopback(listen: str) -> bool:
    """Whether host:port is reachable from this machine only."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

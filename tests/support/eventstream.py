"""Messages of AWS's event stream encoding, of our own making
(docs.aws.amazon.com/transcribe/latest/dg/event-stream.html): lengths, checksums, typed headers, payload."""

from __future__ import annotations

import struct
from binascii import crc32
from typing import Any

import orjson

_TEXT = 7


def message(payload: Any, **headers: str) -> bytes:
    """`payload` as JSON, bytes as they are; header names with _ for -, and a colon before."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    head = b"".join(_header(f":{name.replace('_', '-')}", value) for name, value in headers.items())
    prelude = struct.pack("!II", 12 + len(head) + len(body) + 4, len(head))
    told = prelude + struct.pack("!I", crc32(prelude)) + head + body
    return told + struct.pack("!I", crc32(told))


def event(kind: str, payload: Any) -> bytes:
    return message(payload, event_type=kind, content_type="application/json", message_type="event")


def exception(kind: str, payload: Any) -> bytes:
    return message(payload, exception_type=kind, content_type="application/json", message_type="exception")


def _header(name: str, value: str) -> bytes:
    text = value.encode()
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _TEXT, len(text)) + text

"""Where alerts are told, and how they are signed: readers of the two settings. Neither value is ever shown whole."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

from sidecar.settings import units

_PREFIX = "whsec_"


def webhook_url(raw: object) -> str:
    """https, or http on this machine. It may hold a secret in its path or query, as such URLs do."""
    try:
        text = units.string(raw)
        parts = urlsplit(text)
        host = parts.hostname or ""
        near = parts.scheme == "http" and units.is_loopback(f"{host}:0")
        valid = bool(host) and (parts.port or 1) > 0 and " " not in text
    except ValueError:
        raise ValueError("the value is not a URL") from None
    if parts.scheme not in ("http", "https") or not valid:
        raise ValueError("the value is not a URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds credentials: what is sent is signed instead")
    if parts.scheme != "https" and not near:
        raise ValueError("the URL has to be https, or on this machine")
    return text


def webhook_secret(raw: object) -> str:
    """Base64 of 24 to 64 bytes behind "whsec_", as Standard Webhooks has it (symmetric signatures); the prefix may
    be left out."""
    try:
        key = base64.b64decode(str(raw).removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError(
            "the value is not base64 of 24 to 64 bytes, whsec_ before it or not: `openssl rand -base64 32` makes one"
        )
    return str(raw)


def origin_of(url: str) -> str:
    """A webhook's URL for people: "https://host/..."."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/..." if url else ""

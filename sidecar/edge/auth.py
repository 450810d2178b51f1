"""Who calls. Everything that decides it is here; tokens join as another `Authenticator`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from sidecar.core.faults import Refusal, RefusalReason

DEFAULT_WORKSPACE = "default"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose call it is; `caller` is a token's id or a certificate's name, empty for a local peer."""

    workspace: str
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """What the connection says. `address` as gRPC writes it ("ipv4:127.0.0.1:4711", "unix:")."""

    address: str
    metadata: Mapping[str, Sequence[str]]
    certificate_name: str = ""
    """Common name of a client certificate that the TLS handshake verified; empty without one."""


class Authenticator(Protocol):
    def identify(self, peer: Peer) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        ...


class LocalTrust:
    """Whoever reaches the unix socket or loopback, or shows a verified certificate, is the default workspace."""

    def identify(self, peer: Peer) -> Identity:
        if peer.certificate_name:
            return Identity(DEFAULT_WORKSPACE, f"cert:{peer.certificate_name}")
        if is_local(peer.address):
            return Identity(DEFAULT_WORKSPACE)
        raise Refusal(
            "UNAUTHENTICATED",
            RefusalReason.UNAUTHENTICATED,
            "Calls from other hosts need a client certificate: set TAXIMETER_TLS_CERT, TAXIMETER_TLS_KEY and "
            "TAXIMETER_TLS_CLIENT_CA, or call over loopback or the unix socket.",
        )


def is_local(address: str) -> bool:
    """A unix socket or a loopback address; anything unreadable is not."""
    kind, _, rest = unquote(address).partition(":")
    if kind == "unix":
        return True
    host = rest.rpartition(":")[0].strip("[]")
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)

"""Where the sidecar serves, as its settings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sidecar.edge.listen import CannotListen, Tls
from sidecar.edge.server import Server
from sidecar.settings import Settings


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the sidecar serves. `address` is empty without TCP."""

    address: str
    socket: Path


def open_door(server: Server, settings: Settings) -> Bound:
    """Raises CannotListen, OSError."""
    address = ""
    if settings.listen:
        address = server.listen_tcp(settings.listen, _tls(settings), allow_insecure=settings.allow_insecure)
    server.listen_unix(settings.socket, 0o600)
    return Bound(address, settings.socket)


def _tls(settings: Settings) -> Tls | None:
    """Raises CannotListen."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    client_ca = _pem("TAXIMETER_TLS_CLIENT_CA", settings.tls_client_ca) if settings.tls_client_ca else None
    return Tls(_pem("TAXIMETER_TLS_CERT", settings.tls_cert), _pem("TAXIMETER_TLS_KEY", settings.tls_key), client_ca)


def _pem(name: str, path: Path) -> bytes:
    """Raises CannotListen, naming the variable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotListen(f"{name}={path} cannot be read: {error.strerror}.") from None

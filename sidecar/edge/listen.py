"""Where the server may listen, and what to say when it cannot."""

from __future__ import annotations

import errno
import ipaddress
import socket as sockets
import stat
from dataclasses import dataclass
from pathlib import Path

import grpc

MAX_SOCKET_PATH = 107
"""Linux: sun_path holds 108 bytes, one of them the end (unix(7))."""


class CannotListen(Exception):
    """The message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM bytes. With `client_ca`, callers must show a certificate that it signed."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None = None


def credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)], root_certificates=tls.client_ca, require_client_auth=tls.client_ca is not None
    )


def split(address: str) -> tuple[str, int]:
    """ "[::1]:50051" -> ("::1", 50051). Raises CannotListen."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise CannotListen(f"TAXIMETER_LISTEN={address} is not HOST:PORT (127.0.0.1:50051, [::1]:50051).")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def answers(path: Path) -> bool:
    """Somebody accepts connections there."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
    except OSError:
        return False
    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


def why_not(host: str, port: int, address: str) -> str:
    """What the system says when we try it ourselves."""
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    with sockets.socket(family) as probe:
        try:
            probe.bind((host, port))
        except PermissionError:
            return f"Port {port} needs privileges. Set TAXIMETER_LISTEN to a port above 1023."
        except sockets.gaierror:
            return f"TAXIMETER_LISTEN={address}: the host name {host} is not known here."
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"Port {port} on {host} is in use. Stop what listens there, or set TAXIMETER_LISTEN to another "
                    "address (127.0.0.1:0 takes any free port)."
                )
            return f"Cannot listen on {address}: {error.strerror}."
    return f"Cannot listen on {address}: check it, and the certificate if there is one."

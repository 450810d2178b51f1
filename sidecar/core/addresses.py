"""Which base URLs a workspace may name for a key of its own. Pure: names are resolved by whoever asks.

A workspace's URL is where this machine sends requests on a stranger's word, so it must not lead to what only this
machine can reach: its own services, the network around it, the metadata of its cloud. The operator's own
configuration is not looked at here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

MAX_CHARACTERS = 2048
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "168.63.129.16",  # learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        ),
    )
)
"""Beside 169.254.169.254, the usual one, which is link-local: those that would pass for private or public."""
_GLOBAL = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_PRIVATE = tuple(map(ipaddress.ip_network, ("fc00::/7", "fec0::/10")))


@dataclass(frozen=True, slots=True)
class Reach:
    """What is permitted beyond the open internet."""

    loopback: bool = False
    private: bool = False


class Forbidden(ValueError):
    """The message says what is wrong with a URL, for people."""


def base_url(raw: str, reach: Reach) -> str:
    """The URL in its plainest spelling, without a final slash. Raises Forbidden.

    A host that is a name is permitted here as far as its name goes: see `objection` for what it resolves to.
    """
    parts, port = _parts(raw.strip())
    if "?" in raw or "#" in raw:
        raise Forbidden("the URL has a query or a fragment; only its beginning is wanted")
    name, is_loopback = _host(parts, reach)
    if parts.scheme == "http" and not is_loopback:
        raise Forbidden("the key would travel in the clear: use https")
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def check_host(url: str, reach: Reach) -> None:
    """Whether the host of any URL may be called, as far as its name goes. Raises Forbidden."""
    _host(_parts(url)[0], reach)


def _parts(text: str) -> tuple[SplitResult, int | None]:
    """The URL taken apart, and its port. Raises Forbidden."""
    if not text.isascii() or not text.isprintable() or re.search(r"[\s\\]", text) or len(text) > MAX_CHARACTERS:
        raise Forbidden("the URL holds characters that do not belong there (a name with others is written xn--...)")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Forbidden("this is not a URL like https://llm.example.com/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Forbidden("this is not a URL like https://llm.example.com/v1")
    if "@" in parts.netloc:
        raise Forbidden("the URL holds a user or password: the key goes beside it")
    return parts, port


def _host(parts: SplitResult, reach: Reach) -> tuple[str, bool]:
    """(the host in its plainest spelling, whether it is this machine). Raises Forbidden."""
    host = parts.hostname or ""
    address = _address(host)
    if address is not None:
        name, is_loopback, problem = str(address), address.is_loopback, _objection(address, reach)
    else:
        name = _name(host)
        is_loopback, problem = _is_localhost(name), _objection_to_name(name, reach)
    if problem:
        raise Forbidden(f"{name} {problem}")
    return name, is_loopback


def host_of(url: str) -> str:
    """The host of a URL that `base_url` gave: a name, or an IP address without brackets."""
    return urlsplit(url).hostname or ""


def objection(address: str, reach: Reach) -> str:
    """Why an IP address that a name resolves to must not be called ("is ..."); "" if it may."""
    try:
        return _objection(_plain(ipaddress.ip_address(address.partition("%")[0])), reach)
    except ValueError:
        return "is no address"


def _address(host: str) -> _IP | None:
    """The IP address that a host is, None for a name. Raises Forbidden for other spellings of one (0x7f.1, 127.1)."""
    text = host.removesuffix(".")
    if "%" in text:
        raise Forbidden("this is not the name of a host")
    try:
        return _plain(ipaddress.ip_address(text))
    except ValueError:
        # As browsers tell (url.spec.whatwg.org/#ends-in-a-number-checker): what ends in a number is no name.
        if ":" in text or _NUMBER.fullmatch(text.rpartition(".")[2]):
            raise Forbidden("write the IP address in the usual way: 192.0.2.1, or [2001:db8::1]") from None
        return None


def _plain(address: _IP) -> _IP:
    """The IPv4 address that stands in an IPv6 one: mapped, by 6to4, or by NAT64."""
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if within is None and address in _NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return within or address
    return address


def _name(host: str) -> str:
    name = host.removesuffix(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, name.split("."))):
        raise Forbidden("this is not the name of a host")
    return name


def _is_localhost(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _objection_to_name(name: str, reach: Reach) -> str:
    if name in _METADATA_NAMES or name.startswith("instance-data."):
        return _MACHINES
    if _is_localhost(name):
        return "" if reach.loopback else _LOOPBACK
    if "." not in name and not reach.private:
        return _PRIVATE_NETWORK
    return ""


_MACHINES = "is link-local, or where a cloud keeps what belongs to its machines: no workspace may name it"
_LOOPBACK = "is this machine itself: only the default workspace may name it (or set TAXIMETER_ALLOW_PRIVATE_URLS)"
_PRIVATE_NETWORK = "is in a private network: the operator permits that by TAXIMETER_ALLOW_PRIVATE_URLS=true"


def _objection(address: _IP, reach: Reach) -> str:
    if address in _METADATA or address.is_link_local:
        return _MACHINES
    if address.is_loopback:
        return "" if reach.loopback else _LOOPBACK
    if address.is_multicast or address.is_unspecified or address in _THIS_NETWORK or _is_reserved(address):
        return "is nobody's address"
    if not address.is_global or _in(address, _PRIVATE):
        return "" if reach.private else _PRIVATE_NETWORK
    return ""


def _is_reserved(address: _IP) -> bool:
    """For IPv6 all that is neither global nor private by its block."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_reserved
    return not _in(address, _PRIVATE) and not (address in _GLOBAL and address.is_global)


def _in(address: _IP, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)

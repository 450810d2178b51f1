"""Who calls: by token, by client certificate, or by having reached this machine's own doors."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE, Control, Role
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import bearer

SCHEME = "bearer "
MOST_REMEMBERED = 4096
"""Tokens; the one remembered longest goes first."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose call it is. Without a role nothing but reading is assumed."""

    workspace: str
    caller: str = ""
    """Token id, "cert:<common name>", "jwt:<subject>"; empty for a local peer without a token."""
    role: Role = Role.VIEWER
    expires_ns: int | None = None
    """When this is no longer so; None: not known to end."""

    @property
    def operator(self) -> bool:
        return self.role is Role.ADMIN and self.workspace == DEFAULT_WORKSPACE


@dataclass(frozen=True, slots=True)
class Peer:
    """What the connection says. `address` as gRPC writes it ("ipv4:127.0.0.1:4711", "unix:")."""

    address: str
    metadata: Mapping[str, Sequence[str]]
    certificate_name: str = ""
    """Common name of a client certificate that the TLS handshake verified; empty without one."""


class Authenticator(Protocol):
    async def identify(self, peer: Peer) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        ...


class OtherTokens(Protocol):
    """Tokens that an identity provider gives out."""

    async def identify(self, text: str) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        ...


class Callers:
    """A bearer token says who calls; only who shows none is known by a certificate, or by being local.

    A token that was verified is remembered until `control` changes in any way, so a revoked one is refused from then
    on; it is remembered by a hash of it, which gives nothing away, neither by its value nor by the time a look takes.
    """

    def __init__(
        self,
        control: Callable[[], Control],
        clock: Clock,
        tokenless: Tokenless | None = None,
        others: OtherTokens | None = None,
    ) -> None:
        self._control = control
        self._clock = clock
        self._tokenless = tokenless or Tokenless()
        self._others = others
        self._remembered: dict[bytes, Identity] = {}
        self._remembered_of: Control | None = None

    async def identify(self, peer: Peer) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        said = peer.metadata.get("authorization")
        if said is None:
            return self._tokenless.identify(peer)
        text = bearer_of(said)
        if text.startswith(bearer.PREFIX):
            return self._by_token(text)
        if self._others is None:
            raise not_valid()
        identity = await self._others.identify(text)
        _is_open(identity.workspace, self._control())
        return identity

    def _by_token(self, text: str) -> Identity:
        control, digest = self._control(), bearer.hashed(text)
        if control is not self._remembered_of:
            self._remembered, self._remembered_of = {}, control
        identity = self._remembered.get(digest)
        if identity is None:
            identity = verified(text, control)
            remember(self._remembered, digest, identity)
        if identity.expires_ns is not None and identity.expires_ns <= self._clock.wall_ns():
            raise unauthenticated("This token has expired. Ask an administrator of the workspace for another.")
        return identity


def remember(remembered: dict[bytes, Identity], digest: bytes, identity: Identity) -> None:
    if len(remembered) >= MOST_REMEMBERED:
        del remembered[next(iter(remembered))]
    remembered[digest] = identity


def verified(text: str, control: Control) -> Identity:
    """Whose token it is, expired or not. One that never was and a wrong secret are told alike, and take as long."""
    token_id, secret = bearer.taken_apart(text)
    token = control.tokens.get(token_id)
    matches = hmac.compare_digest(bearer.hashed(secret), token.secret_hash if token else _NOBODYS)
    if token is None or not matches:
        raise not_valid()
    if token.revoked_ns is not None:
        raise unauthenticated("This token was revoked. Ask an administrator of the workspace for another.")
    _is_open(token.workspace, control)
    return Identity(token.workspace, token.token_id, token.role, token.expires_ns)


def _is_open(name: str, control: Control) -> None:
    """Told only to those who have shown that they belong there."""
    workspace = control.workspaces.get(name)
    if workspace is None:
        raise unauthenticated(f"There is no workspace {name!r}.")
    if workspace.archived_ns is not None:
        raise unauthenticated(f"The workspace {name!r} is archived. The operator can restore it.")


_NOBODYS = bytes(32)


@dataclass(frozen=True, slots=True)
class Tokenless:
    """Peers without a token, in the default workspace: who reaches the unix socket, loopback, or shows a verified
    certificate. The socket's file mode guards it, so who opens it may do all that its owner may."""

    tcp_role: Role = Role.MEMBER
    """Of loopback peers; any process of the machine may be one."""
    require_token: bool = False
    """Over TCP, also of those with a certificate."""

    def identify(self, peer: Peer) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        if is_unix(peer.address):
            return Identity(DEFAULT_WORKSPACE, role=Role.ADMIN)
        if self.require_token:
            raise unauthenticated("This sidecar asks for a token (TAXIMETER_REQUIRE_TOKEN): set TAXIMETER_TOKEN.")
        if peer.certificate_name:
            return Identity(DEFAULT_WORKSPACE, f"cert:{peer.certificate_name}", Role.MEMBER)
        if is_local(peer.address):
            return Identity(DEFAULT_WORKSPACE, role=self.tcp_role)
        raise unauthenticated(
            "Calls from other hosts need a token (TAXIMETER_TOKEN) or a client certificate: ask an administrator for "
            "one (`taximeter tokens create`), set TAXIMETER_TLS_CERT, TAXIMETER_TLS_KEY and TAXIMETER_TLS_CLIENT_CA, "
            "or call over loopback or the unix socket."
        )


def bearer_of(said: Sequence[str]) -> str:
    """The token of the authorization entries. Raises Refusal: nobody who meant to show a token is taken for another."""
    if len(said) != 1 or said[0][: len(SCHEME)].lower() != SCHEME:
        raise unauthenticated("The authorization metadata must be one entry: Bearer <token>.")
    return said[0][len(SCHEME) :].strip()


def not_valid() -> Refusal:
    return unauthenticated("This token is not valid here: check that it is whole, and meant for this sidecar.")


def unauthenticated(message: str) -> Refusal:
    return Refusal("UNAUTHENTICATED", RefusalReason.UNAUTHENTICATED, message)


def is_unix(address: str) -> bool:
    return address.startswith("unix:")


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

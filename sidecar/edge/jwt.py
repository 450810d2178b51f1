"""Callers that an identity provider vouches for: signed tokens (RFC 7519) whose claims name workspace and role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.core.clock import Clock
from sidecar.core.control import Role
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import bearer
from sidecar.edge.auth import Identity, not_valid, remember, unauthenticated
from sidecar.edge.jwks import PAUSE_S, KeySet, Unavailable

LEEWAY_S = 30
"""Clocks differ."""
MAX_SUBJECT = 200
_LATEST_S = 253_402_300_799
"""The end of the year 9999, the last that a protobuf Timestamp can say."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a token must say, and where it says the rest."""

    issuer: str
    audience: str
    workspace_claim: str = "workspace"
    role_claim: str = "role"
    default_role: Role | None = None
    """Of a token without the role claim; None: it is refused."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")


class JwtTokens:
    """Remembers what it has verified until it expires, or the provider's keys change."""

    def __init__(self, accepted: Accepted, keys: KeySet, clock: Clock) -> None:
        self._accepted = accepted
        self._keys = keys
        self._clock = clock
        self._remembered: dict[bytes, Identity] = {}
        self._remembered_of = 0

    async def identify(self, text: str) -> Identity:
        """Raises Refusal (UNAUTHENTICATED)."""
        digest = bearer.hashed(text)
        identity = self._remembered.get(digest) if self._keys.version == self._remembered_of else None
        if identity is None:
            identity = await self._verified(text)
            if self._keys.version != self._remembered_of:
                self._remembered, self._remembered_of = {}, self._keys.version
            remember(self._remembered, digest, identity)
        if (identity.expires_ns or 0) + LEEWAY_S * 1_000_000_000 <= self._clock.wall_ns():
            raise _expired()
        return identity

    async def _verified(self, text: str) -> Identity:
        from jwt import PyJWT
        from jwt.exceptions import PyJWTError

        key_id, algorithm = _named(text)
        if algorithm not in self._accepted.algorithms:
            raise not_valid()
        try:
            key = await self._keys.find(key_id, algorithm)
        except Unavailable as error:
            raise _no_keys(str(error)) from None
        if key is None:
            raise not_valid()
        try:
            claims = PyJWT().decode(
                text,
                key,
                [algorithm],
                {"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
                audience=self._accepted.audience,
                issuer=self._accepted.issuer,
                leeway=LEEWAY_S,
            )
        except (PyJWTError, ValueError, RecursionError) as error:
            raise _refused(error) from None
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        workspace = claims.get(self._accepted.workspace_claim)
        if isinstance(workspace, bool) or not isinstance(workspace, (str, int)) or workspace == "":
            raise unauthenticated(
                f"This token names no workspace: its claim {self._accepted.workspace_claim!r} should."
            )
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
            raise unauthenticated(f"This token's subject is not a name of at most {MAX_SUBJECT} characters.")
        expires_s = min(int(claims["exp"]), _LATEST_S)
        return Identity(str(workspace), f"jwt:{subject}", self._role(claims), expires_s * 1_000_000_000)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """A name, or a list in which one name is a role of ours: of two, nobody can say which was meant."""
        claim = self._accepted.role_claim
        said = claims.get(claim)
        if said is None and self._accepted.default_role is not None:
            return self._accepted.default_role
        listed = said if isinstance(said, list) else [said]
        found = {each for each in listed if each in tuple(Role)}
        if len(found) != 1:
            known = ", ".join(Role)
            raise unauthenticated(f"This token names no role: its claim {claim!r} should name one of {known}.")
        return Role(found.pop())


def _named(text: str) -> tuple[str, str]:
    """(key id, algorithm) of a token's header, which nobody has vouched for yet."""
    from jwt import get_unverified_header
    from jwt.exceptions import PyJWTError

    try:
        header = get_unverified_header(text)
    except (PyJWTError, ValueError, RecursionError):
        raise not_valid() from None
    return str(header.get("kid", "")), str(header.get("alg", ""))


def _refused(error: Exception) -> Refusal:
    """Claims are looked at only once the signature is good; until then nothing is told."""
    from jwt import exceptions as wrong

    match error:
        case wrong.ExpiredSignatureError():
            return _expired()
        case wrong.ImmatureSignatureError():
            return unauthenticated("This token is not valid yet.")
        case wrong.InvalidAudienceError():
            return unauthenticated("This token is meant for another audience: see TAXIMETER_JWT_AUDIENCE.")
        case wrong.InvalidIssuerError():
            return unauthenticated("This token is from another issuer: see TAXIMETER_JWT_ISSUER.")
        case wrong.MissingRequiredClaimError(claim=claim):
            return unauthenticated(f"This token lacks the claim {claim!r}.")
    return not_valid()


def _expired() -> Refusal:
    return unauthenticated("This token has expired. Ask the identity provider for another.")


def _no_keys(why: str) -> Refusal:
    """Nothing is wrong with the token, as far as we know."""
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.UNAUTHENTICATED,
        f"Tokens of the identity provider cannot be checked: its keys could not be fetched ({why}).",
        retry_after_s=PAUSE_S,
    )

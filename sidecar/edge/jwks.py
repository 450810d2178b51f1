"""An identity provider's public keys: fetched when first needed, every hour, and when a token names one not known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from sidecar.core.clock import Clock
from sidecar.core.faults import Fault
from sidecar.providers.transport import Transport
from sidecar.providers.wire import HttpRequest

if TYPE_CHECKING:  # PyJWT brings cryptography, which takes its time to load
    from jwt import PyJWK

RENEW_S = 3600.0
PAUSE_S = 10.0
"""Between two fetches, whatever tokens come: else anybody could make us hammer the provider."""
FETCH_S = 10.0
_CONNECT_S = 5.0
_MAX_BYTES = 1 << 20
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ON_CURVES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""Those with a public key. None other is ever taken: with HS256, who can check a token could make one."""

Keys = Mapping[tuple[str, str], "PyJWK"]
"""(key id, algorithm) -> key: a key is good for the algorithms that are its own, and no other."""


class Unavailable(Exception):
    """No keys could be fetched, and there are none from before. The message holds no more than the reason."""


@dataclass(frozen=True, slots=True)
class Where:
    issuer: str
    jwks_url: str = ""
    """Empty: where the issuer's own description says (OpenID Connect Discovery 1.0, section 4)."""


class KeySet:
    def __init__(self, where: Where, transport: Transport, clock: Clock, log: Any) -> None:
        self._where = where
        self._transport = transport
        self._clock = clock
        self._log = log
        self._said: Mapping[str, Any] = {}
        self._keys: Keys | None = None
        self._fetched_s = self._tried_s = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._failing = ""
        self.version = 0
        """Counts the sets of keys that differed from the one before."""

    async def find(self, key_id: str, algorithm: str) -> PyJWK | None:
        """None: the provider has no such key. An empty id stands for the only key there is. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        found = self._known(key_id, algorithm)
        if found is None:
            await self._renew(now_s)
            if self._keys is None:
                raise Unavailable(self._failing)
            return self._known(key_id, algorithm)
        if now_s - self._fetched_s >= RENEW_S:
            self._start(now_s)
        return found

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _known(self, key_id: str, algorithm: str) -> PyJWK | None:
        keys = self._keys or {}
        if key_id:
            return keys.get((key_id, algorithm))
        able = [key for (_, each), key in keys.items() if each == algorithm]
        return able[0] if len(able) == 1 else None

    async def _renew(self, now_s: float) -> None:
        """Returns when a fetch, ours or one under way, has ended. A caller who hangs up does not end it."""
        fetching = self._start(now_s)
        if fetching is not None:
            await asyncio.shield(fetching)

    def _start(self, now_s: float) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one, unless the last was a moment ago."""
        if self._fetching is None or self._fetching.done():
            if now_s - self._tried_s < PAUSE_S:
                return None
            self._tried_s = now_s
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        """What was fetched before stays in use if this fails."""
        try:
            async with asyncio.timeout(FETCH_S):
                url = self._where.jwks_url or await self._discovered()
                said = await self._get(url)
                keys = parsed(said)
        except (Fault, TimeoutError, ValueError) as error:
            why = str(error) or f"no answer within {FETCH_S:g} s"
            if why != self._failing:
                self._log.warning("jwks_unavailable", issuer=self._where.issuer, why=why, known=len(self._keys or {}))
            self._failing = why
            return
        if said != self._said:
            self.version += 1
        self._said, self._keys = said, keys
        self._fetched_s, self._failing = self._clock.monotonic_s(), ""

    async def _discovered(self) -> str:
        """Raises ValueError if the description is another issuer's: then its keys are not ours to trust."""
        said = await self._get(f"{self._where.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self._where.issuer:
            raise ValueError("its description is of another issuer")
        url = said.get("jwks_uri")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ValueError("its description names no jwks_uri")
        return url

    async def _get(self, url: str) -> dict[str, Any]:
        """Raises Fault, ValueError."""
        request = HttpRequest("GET", url, {"accept": "application/json"})
        answer = await self._transport.send(request, connect_s=_CONNECT_S, max_bytes=_MAX_BYTES)
        if answer.status != 200:
            raise ValueError(f"HTTP status {answer.status}")
        try:
            said = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise ValueError("the answer is not JSON") from None
        if not isinstance(said, dict):
            raise ValueError("the answer is not a JSON object")  # noqa: TRY004 - wrong data, not a wrong call
        return said


def parsed(said: Mapping[str, Any]) -> Keys:
    """The keys that signatures can be checked with; others, and those that nobody understands, are left out.
    Raises ValueError if nothing is left."""
    found: dict[tuple[str, str], PyJWK] = {}
    listed = said.get("keys")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and _is_for_signatures(each):
            for algorithm in _algorithms(each):
                key = _key(each, algorithm)
                if key is not None:
                    found[str(each.get("kid", "")), algorithm] = key
    if not found:
        raise ValueError("there is no usable key in the answer")
    return found


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    """https://www.rfc-editor.org/rfc/rfc7517#section-4.2 and 4.3"""
    operations = jwk.get("key_ops")
    return jwk.get("use", "sig") == "sig" and (not isinstance(operations, list) or "verify" in operations)


def _algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    """What a key says it is for, if that fits its type; else all that fit. Symmetric keys fit nothing."""
    kind = str(jwk.get("kty"))
    able = _RSA if kind == "RSA" else _ON_CURVES.get((kind, str(jwk.get("crv"))), ())
    said = jwk.get("alg")
    return able if said is None else tuple(each for each in able if each == said)


def _key(jwk: dict[str, Any], algorithm: str) -> PyJWK | None:
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    try:
        return PyJWK(jwk, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None

"""An identity provider on loopback: real keys, its description, its key set, and tokens signed with them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "taximeter"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """One a number, made once: it takes a tenth of a second."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key_id: str, key: Private, **more: Any) -> dict[str, Any]:
    """The public half, as a key set lists it."""
    if isinstance(key, rsa.RSAPrivateKey):
        told: dict[str, Any] = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        told = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**told, "kid": key_id, "use": "sig", **more}


@dataclass
class Issuer:
    keys: list[dict[str, Any]]
    url: str = ""
    name: str = ""
    """What the description says it is; empty: `url`."""
    down: bool = False
    asked: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """Answers wait for it."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good ones; a change to None leaves the claim out."""
        now = int(time.time())
        good = {
            "iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600,
            "workspace": "acme", "role": "member",
        }  # fmt: skip
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(self, key: Private, key_id: str | None = "one", algorithm: str = "RS256", **changes: Any) -> str:
        headers = {} if key_id is None else {"kid": key_id}
        return jwt.encode(self.claims(**changes), key, algorithm, headers)

    def answer(self, path: str) -> tuple[int, Mapping[str, Any]]:
        if self.down:
            return 503, {}
        match path:
            case "/.well-known/openid-configuration":
                return 200, {"issuer": self.name or self.url, "jwks_uri": f"{self.url}/keys"}
            case "/keys":
                return 200, {"keys": self.keys}
        return 404, {}


@asynccontextmanager
async def issuer(*keys: dict[str, Any]) -> AsyncIterator[Issuer]:
    """Serving until left; its keys are RSA "one" and EC "two" unless said otherwise."""
    made = Issuer(list(keys) or [jwk("one", rsa_key()), jwk("two", ec_key())])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        made.asked.append(path)
        if made.hold is not None:
            await made.hold.wait()
        status, said = made.answer(path)
        body = json.dumps(said).encode()
        writer.write(b"HTTP/1.1 %d x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made

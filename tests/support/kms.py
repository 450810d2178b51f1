"""AWS KMS, Google Cloud KMS and Vault's transit engine on loopback, as their references say that they behave."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google_crc32c import value as crc32c

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RESOURCE = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
TOKEN = "hvs.a-token-of-vault"

Reply = tuple[int, Mapping[str, Any]]


@dataclass
class Kms:
    """One key at each of the three. What it was asked stands in `asked`: (path or target, headers, document)."""

    key: bytes = field(default_factory=lambda: os.urandom(32))
    other_key: bytes = field(default_factory=lambda: os.urandom(32))
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    instead: Reply | None = None
    """What is answered to everything."""
    knows_associated_data: bool = True
    """Of Vault: older ones pass over it."""
    url: str = ""

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path == "/token":
            self.asked.append((path, headers, {}))
            return 200, {"access_token": "a-token-of-google", "expires_in": 3600, "token_type": "Bearer"}
        document = json.loads(body)
        self.asked.append((headers.get("x-amz-target", path), headers, document))
        if self.instead is not None:
            return self.instead
        if "x-amz-target" in headers:
            return self._aws(headers["x-amz-target"], document)
        if path.startswith("/v1/projects/"):
            return self._gcp(path, headers, document)
        return self._transit(path, headers, document)

    def _aws(self, target: str, document: Mapping[str, Any]) -> Reply:
        """docs.aws.amazon.com/kms/latest/APIReference: JSON 1.1, errors by `__type`."""
        context = json.dumps(document["EncryptionContext"], sort_keys=True).encode()
        if document["KeyId"] != ARN:
            return 400, {"__type": "NotFoundException", "message": "no such key"}
        if target == "TrentService.Encrypt":
            cipher = b"own:" + _seal(self.key, base64.b64decode(document["Plaintext"]), context)
            return 200, {"CiphertextBlob": _text(cipher), "KeyId": ARN, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
        cipher = base64.b64decode(document["CiphertextBlob"])
        if cipher.startswith(b"other:"):
            return 400, {"__type": "IncorrectKeyException", "message": "another key"}
        try:
            plain = _unseal(self.key, cipher.removeprefix(b"own:"), context)
        except InvalidTag:
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": _text(plain), "KeyId": ARN, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def _gcp(self, path: str, headers: Mapping[str, str], document: Mapping[str, Any]) -> Reply:
        """cloud.google.com/kms/docs/reference/rest: checksums are int64, so text; errors are google.rpc.Status."""
        if headers.get("authorization") != "Bearer a-token-of-google":
            return 401, _google_error(401, "UNAUTHENTICATED")
        for name in ("plaintext", "ciphertext", "additionalAuthenticatedData"):
            if name in document and document[f"{name}Crc32c"] != str(crc32c(base64.b64decode(document[name]))):
                return 400, _google_error(400, "INVALID_ARGUMENT")
        context = base64.b64decode(document["additionalAuthenticatedData"])
        if path.endswith(":encrypt"):
            cipher = _seal(self.key, base64.b64decode(document["plaintext"]), context)
            return 200, {
                "name": f"{RESOURCE}/cryptoKeyVersions/1",
                "ciphertext": _text(cipher),
                "ciphertextCrc32c": str(crc32c(cipher)),
                "verifiedPlaintextCrc32c": True,
                "verifiedAdditionalAuthenticatedDataCrc32c": True,
            }
        try:
            plain = _unseal(self.key, base64.b64decode(document["ciphertext"]), context)
        except InvalidTag:
            return 400, _google_error(400, "INVALID_ARGUMENT")
        return 200, {"plaintext": _text(plain), "plaintextCrc32c": str(crc32c(plain)), "usedPrimary": True}

    def _transit(self, path: str, headers: Mapping[str, str], document: Mapping[str, Any]) -> Reply:
        """developer.hashicorp.com/vault/api-docs/secret/transit."""
        if headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        context = base64.b64decode(document["associated_data"]) if self.knows_associated_data else b""
        if path == "/v1/team/transit/encrypt/taximeter":
            cipher = _seal(self.key, base64.b64decode(document["plaintext"]), context)
            return 200, {"data": {"ciphertext": f"vault:v1:{_text(cipher)}", "key_version": 1}}
        if path != "/v1/team/transit/decrypt/taximeter":
            return 400, {"errors": ["encryption key not found"]}
        if not document["ciphertext"].startswith("vault:v1:"):
            return 400, {"errors": ["invalid ciphertext: no prefix"]}
        try:
            plain = _unseal(self.key, base64.b64decode(document["ciphertext"].removeprefix("vault:v1:")), context)
        except (InvalidTag, ValueError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": _text(plain)}}


@contextmanager
def kms() -> Iterator[Kms]:
    known = Kms()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, document = known.answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            said = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def service_account(url: str) -> str:
    """A key file of Google's, whose tokens come from the loopback server."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "1",
            "private_key": private.decode(),
            "client_email": "taximeter@p.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{url}/token",
        }
    )


def _google_error(code: int, status: str) -> Mapping[str, Any]:
    return {"error": {"code": code, "message": "words of Google's", "status": status}}


def _seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def _unseal(key: bytes, cipher: bytes, context: bytes) -> bytes:
    return AESGCM(key).decrypt(cipher[:12], cipher[12:], context)


def _text(plain: bytes) -> str:
    return base64.b64encode(plain).decode()

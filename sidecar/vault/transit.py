"""HashiCorp Vault's transit engine.

developer.hashicorp.com/vault/api-docs/secret/transit, "Encrypt data" and "Decrypt data".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sidecar.vault.envelope import Context, encoded
from sidecar.vault.faults import KeeperUnavailable, Tampered
from sidecar.vault.http import Answer, Http, Unreachable

_CHANGED = ("message authentication failed", "invalid ciphertext")
"""In what Vault says of a ciphertext that was changed, or comes with other associated data."""


class Transit:
    def __init__(self, url: str, token: str, namespace: str = "") -> None:
        """`url`: "https://host:8200/transit/keys/name", where "transit" is where the engine is mounted."""
        self._url = url
        self._token = token
        self._namespace = namespace
        self._http = Http()

    def encrypt(self, plain: bytes, context: Context) -> bytes:
        """The context goes in twice: a Vault that knows no associated data passes over it without a word."""
        done = self._asked("encrypt", {"plaintext": _text(_digest(context) + plain)}, context)
        if not (cipher := done.get("ciphertext")):
            raise KeeperUnavailable(f"Vault's answer came damaged; the key is {self._url}.")
        return str(cipher).encode()

    def decrypt(self, cipher: bytes, context: Context) -> bytes:
        done = self._asked("decrypt", {"ciphertext": cipher.decode("ascii", "replace")}, context)
        try:
            text = base64.b64decode(str(done.get("plaintext", "")), validate=True)
        except binascii.Error:
            text = b""
        digest = _digest(context)
        if not hmac.compare_digest(text[: len(digest)], digest):
            raise Tampered("it was put in another's place")
        return text[len(digest) :]

    def _asked(self, verb: str, fields: Mapping[str, str], context: Context) -> Mapping[str, Any]:
        """The `data` of the answer."""
        headers = {"x-vault-token": self._token, "x-vault-request": "true"}
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        document = {**fields, "associated_data": _text(encoded(context))}
        try:
            answer = self._http.post(self._address(verb), headers, document)
        except Unreachable as failed:
            raise KeeperUnavailable(f"Vault cannot be asked ({failed}); the key is {self._url}.") from None
        if answer.status != 200:
            raise self._fault(answer)
        data = answer.document().get("data")
        return data if isinstance(data, dict) else {}

    def _address(self, verb: str) -> str:
        parts = urlsplit(self._url)
        mount, _, name = parts.path.strip("/").removeprefix("v1/").rpartition("/keys/")
        return f"{parts.scheme}://{parts.netloc}/v1/{mount}/{verb}/{name}"

    def _fault(self, answer: Answer) -> KeeperUnavailable | Tampered:
        said = str(answer.document().get("errors", ""))
        if answer.status == 400 and any(words in said for words in _CHANGED):
            return Tampered("Vault finds it changed, or put in another's place")
        return KeeperUnavailable(f"Vault refused ({answer.status}); the key is {self._url}, its token is VAULT_TOKEN.")


def _digest(context: Context) -> bytes:
    return hashlib.sha256(encoded(context)).digest()


def _text(text: bytes) -> str:
    return base64.b64encode(text).decode()

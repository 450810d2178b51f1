"""Google Cloud KMS over REST; credentials by google-auth (extra `gcp-kms`), as Google's own tools find them.

cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt and .../decrypt; why and how
to compare checksums: cloud.google.com/kms/docs/data-integrity-guidelines.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping
from typing import Any

from google_crc32c import value as crc32c

from sidecar.vault.envelope import Context, encoded
from sidecar.vault.faults import KeeperUnavailable, Tampered
from sidecar.vault.http import Answer, Http, Unreachable, quiet

ADDRESS = "https://cloudkms.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloudkms"
_NOT_OURS = "INVALID_ARGUMENT"
"""What a ciphertext gets that was changed, or comes with another context."""


class GcpKms:
    def __init__(self, name: str, address: str = ADDRESS) -> None:
        """`name`: "projects/P/locations/L/keyRings/R/cryptoKeys/K"."""
        self._name = name
        self._address = address
        self._http = Http()
        self._credentials: Any = None
        self._lock = threading.Lock()

    def encrypt(self, plain: bytes, context: Context) -> bytes:
        answer = self._asked("encrypt", {"plaintext": plain, "additionalAuthenticatedData": encoded(context)})
        done = answer.document()
        if answer.status != 200:
            raise self._refused(answer)
        if not (done.get("verifiedPlaintextCrc32c") and done.get("verifiedAdditionalAuthenticatedDataCrc32c")):
            raise KeeperUnavailable(f"Google Cloud KMS did not get what was sent to it; the key is {self._name}.")
        return self._intact(done, "ciphertext")

    def decrypt(self, cipher: bytes, context: Context) -> bytes:
        answer = self._asked("decrypt", {"ciphertext": cipher, "additionalAuthenticatedData": encoded(context)})
        if answer.status == 400 and _status(answer) == _NOT_OURS:
            raise Tampered("Google Cloud KMS finds it changed, or put in another's place")
        if answer.status != 200:
            raise self._refused(answer)
        return self._intact(answer.document(), "plaintext")

    def _asked(self, verb: str, fields: Mapping[str, bytes]) -> Answer:
        """Each field with its checksum: int64, so text in JSON."""
        url = f"{self._address}/v1/{self._name}:{verb}"
        document = {name: base64.b64encode(text).decode() for name, text in fields.items()}
        document |= {f"{name}Crc32c": str(crc32c(text)) for name, text in fields.items()}
        try:
            return self._http.post(url, self._authorized(url), document)
        except Unreachable as failed:
            raise KeeperUnavailable(f"Google Cloud KMS cannot be asked ({failed}); the key is {self._name}.") from None

    def _intact(self, done: Mapping[str, Any], field: str) -> bytes:
        try:
            text = base64.b64decode(str(done.get(field, "")), validate=True)
        except binascii.Error:
            text = b""
        if not text or str(done.get(f"{field}Crc32c")) != str(crc32c(text)):
            raise KeeperUnavailable(f"Google Cloud KMS's answer came damaged; the key is {self._name}.")
        return text

    def _refused(self, answer: Answer) -> KeeperUnavailable:
        return KeeperUnavailable(
            f"Google Cloud KMS refused ({answer.status} {_status(answer)}); the key is {self._name}."
        )

    def _authorized(self, url: str) -> dict[str, str]:
        """Header with a token, a new one where the last has expired. Raises KeeperUnavailable."""
        import google.auth
        from google.auth.exceptions import GoogleAuthError

        headers: dict[str, str] = {}
        exchange: Any = self._exchange
        with self._lock:
            try:
                if self._credentials is None:
                    quiet()
                    self._credentials, _ = google.auth.default(scopes=[SCOPE], request=exchange)
                self._credentials.before_request(exchange, "POST", url, headers)
            except GoogleAuthError as failed:
                raise KeeperUnavailable(
                    f"Google Cloud KMS cannot be asked: no credentials ({type(failed).__name__}); see "
                    "cloud.google.com/docs/authentication/application-default-credentials."
                ) from None
        return headers

    def _exchange(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Answer:
        """How google-auth asks for tokens (google.auth.transport.Request)."""
        from google.auth import exceptions

        failure: Any = exceptions.TransportError
        try:
            return self._http.send(method, url, headers or {}, body.encode() if isinstance(body, str) else body)
        except Unreachable as failed:
            raise failure(str(failed)) from None


def _status(answer: Answer) -> str:
    """google.rpc.Code's name, as cloud.google.com/apis/design/errors puts it into JSON."""
    error = answer.document().get("error")
    return str(error.get("status", "")) if isinstance(error, dict) else ""

"""AWS KMS, by botocore (extra `aws-kms`): credentials, region, retries and addresses as AWS's own tools find them.

docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, API_Decrypt.html: a context that is not exactly the one
at encryption gives InvalidCiphertextException. It stands in CloudTrail in the clear.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sidecar.vault.envelope import Context
from sidecar.vault.faults import KeeperUnavailable, Tampered, VaultLocked
from sidecar.vault.http import TIMEOUT_S, quiet


class AwsKms:
    def __init__(self, name: str) -> None:
        """`name`: ARN, key id or "alias/...". The ARN of a key stays right when an alias is moved."""
        self._name = name
        self._made: Any = None
        self._lock = threading.Lock()

    def encrypt(self, plain: bytes, context: Context) -> bytes:
        return self._asked(
            "CiphertextBlob",
            lambda kms: kms.encrypt(KeyId=self._name, Plaintext=plain, EncryptionContext=dict(context)),
        )

    def decrypt(self, cipher: bytes, context: Context) -> bytes:
        """The key is named, so that no other one that we may use can stand in for it."""
        return self._asked(
            "Plaintext",
            lambda kms: kms.decrypt(KeyId=self._name, CiphertextBlob=cipher, EncryptionContext=dict(context)),
        )

    def _asked(self, field: str, ask: Callable[[Any], Any]) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = ask(self._client()).get(field)
        except ClientError as refused:
            raise _fault(str(refused.response.get("Error", {}).get("Code", "unknown")), self._name) from None
        except BotoCoreError as failed:
            raise KeeperUnavailable(
                f"AWS KMS cannot be asked ({type(failed).__name__}); the key is {self._name}."
            ) from None
        if not found:
            raise KeeperUnavailable(f"AWS KMS's answer came damaged; the key is {self._name}.")
        return bytes(found)

    def _client(self) -> Any:
        """Made once: reading the description of the service takes a tenth of a second."""
        from botocore.config import Config
        from botocore.session import get_session

        with self._lock:
            if self._made is None:
                quiet()
                patience = Config(
                    connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"max_attempts": 2, "mode": "standard"}
                )
                self._made = get_session().create_client("kms", region_name=_region(self._name), config=patience)
        return self._made


def _region(name: str) -> str | None:
    """Of an ARN; None: as the environment says."""
    return name.split(":")[3] if name.startswith("arn:") else None


def _fault(code: str, name: str) -> VaultLocked | Tampered:
    match code:
        case "InvalidCiphertextException":
            return Tampered("AWS KMS finds it changed, or put in another's place")
        case "IncorrectKeyException":
            return VaultLocked(f"AWS KMS wrapped this with another key than {name}.")
        case _:
            return KeeperUnavailable(f"AWS KMS refused ({code}); the key is {name}.")

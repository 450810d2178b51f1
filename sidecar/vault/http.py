"""Requests to key management services. The vault's only importer of httpx, and that when the first one is sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 5.0
QUIET = ("httpx", "httpcore", "botocore", "urllib3", "google")
"""At DEBUG some of them log bodies, and the bodies here are keys in the clear."""


class Unreachable(Exception):
    """No answer. The message names the kind of failure only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Named as google-auth names them (google.auth.transport.Response)."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def document(self) -> Mapping[str, Any]:
        """Empty for what is no JSON object."""
        try:
            read = json.loads(self.data)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}


class Http:
    """Proxies and `SSL_CERT_FILE` as the environment says; redirects are not followed."""

    def __init__(self) -> None:
        self._client: httpx.Client | None = None

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Raises Unreachable."""
        import httpx

        if self._client is None:
            quiet()
            self._client = httpx.Client(timeout=TIMEOUT_S)
        try:
            answer = self._client.request(method, url, headers=dict(headers), content=body)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # their words may quote a header
            raise Unreachable(type(error).__name__) from None
        return Answer(answer.status_code, answer.headers, answer.content)

    def post(self, url: str, headers: Mapping[str, str], document: Mapping[str, Any]) -> Answer:
        """Raises Unreachable."""
        body = json.dumps(document).encode()
        return self.send("POST", url, {**headers, "content-type": "application/json"}, body)


def quiet() -> None:
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)

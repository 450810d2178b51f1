"""An identity provider's sign-in on loopback: OpenID Connect's code flow, for whoever it is told is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.issuer import AUDIENCE, Issuer, jwk, rsa_key


class CodeFlow(Issuer):
    """Signs `person` in without asking anything; only the code it gave out buys a token, and only once."""

    def __init__(self) -> None:
        super().__init__([jwk("one", rsa_key())])
        self.person: dict[str, Any] = {}
        """Claims of whoever sits before the browser."""
        self._nonces: dict[str, str] = {}

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def back(self, asked: dict[str, list[str]]) -> str:
        """Where the browser is sent after signing in."""
        code = f"code-{len(self._nonces)}"
        self._nonces[code] = asked.get("nonce", [""])[0]
        return f"{asked['redirect_uri'][0]}?{urlencode({'code': code, 'state': asked['state'][0]})}"

    def bought(self, asked: dict[str, list[str]]) -> dict[str, Any]:
        nonce = self._nonces.pop(asked["code"][0])
        token = self.token(rsa_key(), nonce=nonce or None, aud=AUDIENCE, **self.person)
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": token}


@contextmanager
def code_flow() -> Iterator[CodeFlow]:
    """Serving until left."""
    flow = CodeFlow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path:
                case "/.well-known/openid-configuration":
                    self._say(flow.described())
                case "/keys":
                    self._say({"keys": flow.keys})
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", flow.back(parse_qs(url.query)))
                    self.end_headers()
                case _:
                    self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say(flow.bought(parse_qs(body)))

        def _say(self, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    flow.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield flow
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A receiver of webhooks on loopback, and an independent check of what it got."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Got:
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def is_signed(self, secret: str = SECRET) -> bool:
        """Worked out by OpenSSL, not by what is tested."""
        key = base64.b64decode(secret.removeprefix("whsec_")).hex()
        told = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.content
        command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-binary"]
        digest = subprocess.run(command, input=told, capture_output=True, check=True).stdout
        return hmac.compare_digest(f"v1,{base64.b64encode(digest).decode()}", self.headers["webhook-signature"])


@dataclass
class Receiver:
    url: str = ""
    answers: list[int] = field(default_factory=list)
    """Statuses to give, in order; then 204 for ever. 0: hangs up without a word."""
    extra: dict[str, str] = field(default_factory=dict)
    """Headers of each answer."""
    got: list[Got] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.got]

    def wait_for(self, count: int, within_s: float = 20.0) -> list[Got]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, within_s), f"only {len(self.got)} came"
            return list(self.got)


@contextmanager
def receiver(answers: Iterable[int] = ()) -> Iterator[Receiver]:
    told = Receiver(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            with told.came:
                told.got.append(Got({name.lower(): value for name, value in self.headers.items()}, content))
                status = told.answers.pop(0) if told.answers else 204
                told.came.notify_all()
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in told.extra.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/alerts"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()

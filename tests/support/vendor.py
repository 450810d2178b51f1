"""A provider on loopback that knows which keys it gave out, in a thread: OpenAI's wire, lists and chat."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


@dataclass
class Vendor:
    """`keys`: those that it takes. `down`: it answers everything with 500."""

    keys: set[str]
    url: str = ""
    down: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, key) of each request, in order."""

    @property
    def served(self) -> list[str]:
        """Keys of the calls that it was asked."""
        return [key for path, key in self.asked if path.endswith("/chat/completions")]

    def answer(self, path: str, key: str, model: str) -> tuple[int, object]:
        self.asked.append((path, key))
        if self.down:
            return 500, {"error": {"message": "down", "type": "server_error"}}
        if key not in self.keys:
            return 401, {"error": {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}}
        if path.endswith("/models"):
            return 200, {"object": "list", "data": [{"id": "gpt-5.4"}, {"id": "gpt-5.4-mini"}]}
        message = {"role": "assistant", "content": "A cab that counts."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
        return 200, {**whole, "usage": USAGE}


@contextmanager
def vendor(*keys: str) -> Iterator[Vendor]:
    """Serving on a port of its own until left."""
    made = Vendor(set(keys))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply("")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            self.reply(str(body.get("model", "")))

        def reply(self, model: str) -> None:
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            status, said = made.answer(self.path, key, model)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

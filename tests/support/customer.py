"""The providers of docs/migrating.md on loopback: OpenAI's wire under /v1, Ollama's beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}


def chat(asked: dict[str, Any]) -> dict[str, Any]:
    said = {"role": "assistant", "content": f"{asked['model']} says: {asked['messages'][-1]['content']}"}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return {"id": "c", "model": asked["model"], "choices": [choice], "usage": USAGE}


def moderated(asked: dict[str, Any]) -> dict[str, Any]:
    result = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}
    return {"id": "m", "model": asked["model"], "results": [result]}


def ollama(asked: dict[str, Any]) -> dict[str, Any]:
    said = {"role": "assistant", "content": f"{asked['model']} says so"}
    counted = {"prompt_eval_count": 4, "eval_count": 3}
    return {"model": asked["model"], "message": said, "done": True, "done_reason": "stop", **counted}


def tags(_asked: dict[str, Any]) -> dict[str, Any]:
    return {"models": [{"name": "codellama:latest", "model": "codellama:latest", "size": 3800000000, "digest": "d"}]}


def pulled(asked: dict[str, Any]) -> list[dict[str, Any]]:
    layer = {"status": "pulling d", "digest": "d", "total": 10, "completed": 10}
    return [{"status": "pulling manifest"}, layer, {"status": "success"}]


ANSWERS: dict[tuple[str, str], Any] = {
    ("POST", "/v1/chat/completions"): chat,
    ("POST", "/v1/embeddings"): lambda asked: {
        "model": asked["model"],
        "data": [{"index": 0, "embedding": [0.5, 0.25, 0.125]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    },
    ("POST", "/v1/moderations"): moderated,
    ("GET", "/v1/models"): lambda _: {"object": "list", "data": [{"id": "gpt-4.1", "object": "model"}]},
    ("POST", "/api/chat"): ollama,
    ("GET", "/api/tags"): tags,
    ("POST", "/api/pull"): pulled,
    ("DELETE", "/api/delete"): lambda _: {},
}


class Customer(BaseHTTPRequestHandler):
    def answer(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or b"{}")
        make = ANSWERS.get((self.command, self.path.split("?")[0]))
        told = make(asked) if make else {"error": {"message": f"no {self.command} {self.path} here"}}
        lines = told if isinstance(told, list) else [told]
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.send_response(200 if make else 404)
        self.send_header("content-type", "application/x-ndjson" if isinstance(told, list) else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def customer() -> Iterator[str]:
    """Its address, without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Customer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

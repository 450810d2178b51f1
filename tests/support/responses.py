"""Small answers of the Responses API, whole and as events."""

from __future__ import annotations

from typing import Any

import orjson

USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 50,
}


def message(*parts: Any, **more: Any) -> dict[str, Any]:
    """An output message; plain texts become parts of text."""
    content = [
        {"type": "output_text", "text": part, "annotations": []} if isinstance(part, str) else part for part in parts
    ]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content, **more}


def reasoning(*summary: str, encrypted: str = "", content: tuple[str, ...] = (), id_: str = "rs_1") -> dict[str, Any]:
    item = {
        "id": id_,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in summary],
        "content": [{"type": "reasoning_text", "text": text} for text in content],
    }
    return {**item, "encrypted_content": encrypted} if encrypted else item


def function_call(name: str, arguments: str, number: int = 1) -> dict[str, Any]:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": arguments,
    }


def response(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    body = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "m-1",
        "output": list(output),
        "error": None,
    }
    return {**body, "instructions": "be kind", "temperature": 1.0, "usage": USAGE, **more}


def incomplete(reason: str, *output: dict[str, Any]) -> dict[str, Any]:
    return response(*output, status="incomplete", incomplete_details={"reason": reason})


def started() -> dict[str, Any]:
    return {"type": "response.created", "response": response(status="in_progress", usage=None)}


def ended(kind: str = "completed", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": response(status=kind, **more)}


def said(piece: str, index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": piece}


def item_done(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def stream(*events: Any) -> bytes:
    """As server-sent events with their names; no [DONE]."""
    lines = (event if isinstance(event, bytes) else orjson.dumps(event) for event in events)
    return b"".join(b"event: response\ndata: " + line + b"\n\n" for line in lines)

"""Small answers of Cohere's wire for its tests."""

from __future__ import annotations

from typing import Any

import orjson

USAGE = {"billed_units": {"input_tokens": 7, "output_tokens": 5}, "tokens": {"input_tokens": 70, "output_tokens": 6}}


def said(*content: Any, finish: str = "COMPLETE", usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """An answer; content parts as they stand."""
    return {
        "id": "r-1",
        "finish_reason": finish,
        "message": {"role": "assistant", "content": list(content), **message},
        "usage": usage,
    }


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def thinking(value: str) -> dict[str, str]:
    return {"type": "thinking", "thinking": value}


def stream(*events: Any, done: bool = True) -> bytes:
    """Server-sent events, each named as it names itself; bytes go as they are."""
    lines = []
    for event in events:
        data = event if isinstance(event, bytes) else orjson.dumps(event)
        lines.append(b"data: " + data + b"\n\n")
    return b"".join([*lines, *([b"data: [DONE]\n\n"] if done else [])])


def start() -> dict[str, Any]:
    return {"type": "message-start", "id": "r-1", "delta": {"message": {"role": "assistant", "content": []}}}


def content(index: int = 0, kind: str = "content-delta", **value: str) -> dict[str, Any]:
    """`text=` or `thinking=`."""
    return {"type": kind, "index": index, "delta": {"message": {"content": value}}}


def plan(value: str) -> dict[str, Any]:
    return {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": value}}}


def call(index: int, arguments: str = "", **begun: str) -> dict[str, Any]:
    """The start of a tool call with `id=` and `name=`, or a piece of it."""
    function = {"arguments": arguments, **({"name": begun["name"]} if begun else {})}
    entry = {"function": function, **({"id": begun["id"], "type": "function"} if begun else {})}
    kind = "tool-call-start" if begun else "tool-call-delta"
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": entry}}}


def end(finish: str = "COMPLETE", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": finish, "usage": usage, **more}}

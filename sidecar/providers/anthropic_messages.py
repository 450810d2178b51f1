"""A conversation as the Messages API has it: turns of user and assistant, the system's words beside them.

platform.claude.com/docs/en/api/messages/create, .../agents-and-tools/tool-use/handle-tool-calls (the results of one
turn's calls stand together in the next message, before any text) and .../build-with-claude/
{extended-thinking,mid-conversation-system-messages}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from sidecar.core.faults import BadRequest
from sidecar.providers.anthropic_content import Block, content_blocks
from sidecar.providers.anthropic_models import Ways
from taximeter.v1 import payload_pb2 as pb

_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_TOOL: "user",
    pb.ROLE_ASSISTANT: "assistant",
}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


class Turn(NamedTuple):
    role: str
    blocks: list[Block]


def conversation(request: pb.ChatRequest, ways: Ways) -> tuple[list[Block], list[Block]]:
    """(system, messages).

    System messages go into `system`, in their order. One in mid-conversation keeps its place where the model takes it
    there: after a user's turn, and at the end or before the assistant's.
    """
    turns = _turns(request)
    system: list[Block] = []
    kept: list[Turn] = []
    for place, turn in enumerate(turns):
        if turn.role == "system" and not (ways.system_inside and _may_stay(turns, place)):
            system += turn.blocks
        elif kept and kept[-1].role == turn.role:
            kept[-1].blocks.extend(turn.blocks)
        else:
            kept.append(turn)
    return system, [{"role": turn.role, "content": turn.blocks} for turn in kept]


def _turns(request: pb.ChatRequest) -> list[Turn]:
    messages = [*request.messages]
    if request.prompt:
        messages.append(pb.ChatMessage(role=pb.ROLE_USER, text=request.prompt))
    turns = [Turn(role, _results_first(_blocks(each) for each in group)) for role, group in groupby(messages, _role)]
    return [turn for turn in turns if turn.blocks]


def _may_stay(turns: list[Turn], place: int) -> bool:
    after_user = place > 0 and turns[place - 1].role == "user"
    return after_user and (place + 1 == len(turns) or turns[place + 1].role == "assistant")


def _role(message: pb.ChatMessage) -> str:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest("a message has no role")
    return role


def _results_first(messages: Iterable[list[Block]]) -> list[Block]:
    """Sorting is stable: otherwise all stays in its order."""
    return sorted((block for blocks in messages for block in blocks), key=lambda block: block["type"] != "tool_result")


def _blocks(message: pb.ChatMessage) -> list[Block]:
    match message.role:
        case pb.ROLE_TOOL:
            return [_tool_result(message)]
        case pb.ROLE_ASSISTANT:
            return _assistant_blocks(message)
        case _:
            return content_blocks(message)


def _assistant_blocks(message: pb.ChatMessage) -> list[Block]:
    """Reasoning first: only signed or redacted blocks are taken back, and bare text is not one."""
    said = content_blocks(message)
    if message.refusal:
        said.append({"type": "text", "text": message.refusal})
    thoughts = [thought for block in message.reasoning_blocks if (thought := _thought(block))]
    return [*thoughts, *said, *(_tool_use(call) for call in message.tool_calls)]


def _thought(block: pb.ReasoningBlock) -> Block | None:
    """None for what another provider made: its own id tells it apart, or that nothing is signed."""
    if block.id:
        return None
    if block.redacted:
        return {"type": "redacted_thinking", "data": block.redacted}
    return {"type": "thinking", "thinking": block.text, "signature": block.signature} if block.signature else None


def _tool_use(call: pb.ToolCall) -> Block:
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": _arguments(call)}


def _arguments(call: pb.ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise BadRequest(f"the arguments of the tool call {call.id} are not a JSON object")
    return arguments


def _tool_result(message: pb.ChatMessage) -> Block:
    """A cache point within the result stands on the result: what is inside it cannot be cached by itself."""
    blocks = content_blocks(message)
    points = [block.pop("cache_control") for block in blocks if "cache_control" in block]
    result: Block = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id), "content": blocks}
    if message.tool_failed:
        result["is_error"] = True
    if points:
        result["cache_control"] = points[-1]
    return result


def _id(text: str) -> str:
    """Other providers' ids may have characters that are refused here ("functions.add:0")."""
    return _NOT_IN_AN_ID.sub("_", text)

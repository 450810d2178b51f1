"""Thought signatures: proof of the model's reasoning, which comes on any part and goes back on the same one.

ai.google.dev/gemini-api/docs/thought-signatures. On a call it is `ToolCall.signature`. On another part it is a
`ReasoningBlock`, whose id says on which: that tells it apart from other providers' blocks, too.
"""

from __future__ import annotations

import base64
from typing import Any

from sidecar.providers.gemini_models import ways_of
from sidecar.providers.reading import GEMINIS, text_of
from taximeter.v1 import payload_pb2 as pb

ON_THOUGHT, ON_TEXT, AFTER_TEXT = f"{GEMINIS}thought", f"{GEMINIS}text", f"{GEMINIS}end"
"""A thought's own; the text's; that of an empty part which ends a stream."""
FOREIGN = base64.b64encode(b"skip_thought_signature_validator").decode()
"""Documented for calls that another model made; without it, the models that demand signatures refuse them. The field is
of bytes, which JSON has in base64: so written it is seen to be taken."""


def block_of(part: dict[str, Any], thought: str) -> pb.ReasoningBlock | None:
    """What a text part's signature amounts to; `thought`: the thought that it is the last part of."""
    signature = text_of(part, "thoughtSignature")
    if not signature:
        return None
    if part.get("thought") is True:
        return pb.ReasoningBlock(text=thought, signature=signature, id=ON_THOUGHT)
    return pb.ReasoningBlock(signature=signature, id=ON_TEXT if part.get("text") else AFTER_TEXT)


def signed(message: pb.ChatMessage, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An assistant's parts with the signatures of its own blocks."""
    thoughts, parts, end = [], list(said), []
    for block in message.reasoning_blocks:
        signature = {"thoughtSignature": block.signature}
        if block.id == ON_THOUGHT:
            thoughts.append({"text": block.text, "thought": True, **signature})
        elif block.id == ON_TEXT and parts and "thoughtSignature" not in parts[-1]:
            parts[-1] = {**parts[-1], **signature}
        elif block.id in (ON_TEXT, AFTER_TEXT):
            end.append({"text": "", **signature})
    return [*thoughts, *parts, *end]


def signature_of_call(call: pb.ToolCall, place: int, model: str) -> dict[str, str]:
    """Of calls made at once only the first one has it, and must have it."""
    if call.signature:
        return {"thoughtSignature": call.signature}
    return {"thoughtSignature": FOREIGN} if place == 0 and ways_of(model).signed else {}

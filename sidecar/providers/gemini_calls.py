"""The calls of one answer, whole or argument by argument.

On Vertex AI arguments may come in pieces (docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/
function-calling#streaming-fc): a call begins with its name, `partialArgs` say by a JSON path where a value belongs,
text goes on while it `willContinue`, and a call without `willContinue` ends the call that is open.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from uuid import uuid4

import orjson

from sidecar.core.faults import Garbled
from sidecar.providers.reading import object_of, objects, text_of
from taximeter.v1 import payload_pb2 as pb

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]")
_VALUES = ("numberValue", "boolValue", "structValue", "listValue")
_MOST_PLACES = 10_000


class Calls:
    def __init__(self) -> None:
        self.count = 0
        """Of those that are whole."""
        self._open: pb.ToolCall | None = None
        self._arguments: dict[str, Any] = {}

    def read(self, part: dict[str, Any], response_id: str) -> list[pb.ToolCall]:
        """The calls that the part makes whole."""
        said = object_of(part, "functionCall")
        whole = self.end() if text_of(said, "name") else []
        if text_of(said, "name"):
            self._begin(part, said, response_id)
        if self._open is None:
            return whole
        self._arguments |= object_of(said, "args")
        for piece in objects(said.get("partialArgs")):
            _put(self._arguments, piece)
        return whole if said.get("willContinue") is True else [*whole, *self.end()]

    def end(self) -> list[pb.ToolCall]:
        """The call that is still open, as far as it came."""
        call, self._open = self._open, None
        if call is None:
            return []
        try:
            call.arguments = orjson.dumps(self._arguments).decode()
        except orjson.JSONEncodeError:
            raise Garbled("the arguments of a call are nested too deep") from None
        self.count += 1
        return [call]

    def _begin(self, part: dict[str, Any], said: dict[str, Any], response_id: str) -> None:
        call_id = text_of(said, "id") or f"call_{response_id or uuid4().hex}_{self.count}"
        self._open = pb.ToolCall(id=call_id, name=text_of(said, "name"), signature=text_of(part, "thoughtSignature"))
        self._arguments = {}


def _put(arguments: dict[str, Any], piece: dict[str, Any]) -> None:
    """Sets the value, or continues the text, at the place that `jsonPath` names ("$.cities[0].name")."""
    steps = [
        int(index) if index else name or quoted for name, index, quoted in _STEP.findall(text_of(piece, "jsonPath"))
    ]
    if not steps or any(isinstance(step, int) and step > _MOST_PLACES for step in steps):
        return
    at: Any = arguments
    for step, following in pairwise(steps):
        at = _within(at, step, [] if isinstance(following, int) else {})
    before = _within(at, steps[-1], None)
    if isinstance(at, dict if isinstance(steps[-1], str) else list):
        at[steps[-1]] = _value(piece, before)


def _within(at: Any, step: str | int, otherwise: Any) -> Any:
    """What is at a step, put there if there is nothing yet; None where the path does not fit what is there."""
    if isinstance(at, dict) and isinstance(step, str):
        return at.setdefault(step, otherwise)
    if isinstance(at, list) and isinstance(step, int):
        at += [None] * (step + 1 - len(at))
        if at[step] is None:
            at[step] = otherwise
        return at[step]
    return None


def _value(piece: dict[str, Any], before: Any) -> Any:
    if "stringValue" in piece:
        return (before if isinstance(before, str) else "") + text_of(piece, "stringValue")
    return next((piece[name] for name in _VALUES if name in piece), None)

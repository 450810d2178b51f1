"""An answer of generateContent, whole or event by event.

ai.google.dev/api/generate-content#generatecontentresponse
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Usage
from sidecar.core.faults import BadRequest, ContentFiltered, Fault, Garbled
from sidecar.providers.gemini_calls import Calls
from sidecar.providers.gemini_signatures import block_of
from sidecar.providers.gemini_usage import COUNTS, usage_of
from sidecar.providers.reading import index_of, object_of, objects, text_of
from sidecar.providers.structs import to_struct
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2

_KNOWN = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_KNOWN_IN_CANDIDATE = frozenset({"content", "finishReason", "index"})
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"
_SIGNATURE_ALONE = frozenset({"thoughtSignature", "thought"})

# Finish reasons that say, where nothing was answered, why: ai.google.dev/api/generate-content#FinishReason.
_UNANSWERED: dict[str, type[Fault]] = {
    **dict.fromkeys(("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), ContentFiltered),
    **dict.fromkeys(("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR"), ContentFiltered),
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"), Garbled),
    **dict.fromkeys(("MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE"), Garbled),
    "MISSING_THOUGHT_SIGNATURE": BadRequest,
}


class Answer:
    """`read` its object, or each event's, and then ask for the `fault`, if it is one."""

    def __init__(self) -> None:
        self.candidates: dict[int, Candidate] = {}
        self.model = ""
        self.response_id = ""
        self._reported: dict[str, Any] = {}
        self._said: dict[str, Any] = {}

    def read(self, body: dict[str, Any]) -> Iterator[Any]:
        """Delta and ToolCallDelta messages."""
        self.model = text_of(body, "modelVersion") or self.model
        self.response_id = text_of(body, "responseId") or self.response_id
        usage = object_of(body, "usageMetadata")
        if usage_of(usage):
            self._reported = usage
        self._said |= _beyond(body, _KNOWN)
        for place, said in enumerate(objects(body.get("candidates"))):
            index = index_of(said, place)
            if index not in self.candidates:
                self.candidates[index] = Candidate(index)
            yield from self.candidates[index].read(said, self.response_id)

    @property
    def usage(self) -> Usage | None:
        """As told so far."""
        return usage_of(self._reported, whole=self.complete or self.blocked)

    @property
    def blocked(self) -> bool:
        """The prompt was, so that nothing comes of it."""
        return bool(object_of(self._said, "promptFeedback").get("blockReason")) and not self.candidates

    @property
    def complete(self) -> bool:
        """Every candidate so far has its finish reason."""
        return bool(self.candidates) and all(each.finish for each in self.candidates.values())

    @property
    def in_order(self) -> list[Candidate]:
        return [self.candidates[index] for index in sorted(self.candidates)]

    def fault(self) -> Fault | None:
        """What an answer without content says. What was used is billed."""
        if not self.candidates:
            return self._of_prompt()
        first = self.in_order[0]
        kind = _UNANSWERED.get(first.finish)
        if kind is None or any(each.answered for each in self.candidates.values()):
            return None
        words = text_of(first.said, "finishMessage") or f"the model gave no answer ({first.finish})"
        return kind(words, usage=self.usage, provider_code=first.finish)

    def _of_prompt(self) -> Fault:
        feedback = object_of(self._said, "promptFeedback")
        reason = text_of(feedback, "blockReason")
        if not reason:
            return Garbled("the answer has no candidates", usage=self.usage)
        words = text_of(feedback, "blockReasonMessage") or f"the provider blocked the prompt ({reason})"
        return ContentFiltered(words, usage=self.usage, provider_code=reason)

    def metadata(self) -> Struct | None:
        """What our fields do not hold; None if nothing."""
        said = dict(self._said)
        if usage := _beyond(self._reported, COUNTS):
            said["usage"] = usage
        if any(each.metadata for each in self.candidates.values()):
            said["choices"] = [each.metadata for each in self.in_order]
        return to_struct(said) if said else None


class Candidate:
    def __init__(self, index: int) -> None:
        self.index = index
        self.finish = ""
        """As the provider wrote it; empty until it is told."""
        self.answered = False
        """Text, a call, or anything else but thoughts has come."""
        self.said: dict[str, Any] = {}
        self._calls = Calls()
        self._thought: list[str] = []
        self._others: list[dict[str, Any]] = []

    @property
    def metadata(self) -> dict[str, Any]:
        """Beyond text, thoughts and calls: images, code that was run, sources ..."""
        return self.said | ({"parts": self._others} if self._others else {})

    def read(self, said: dict[str, Any], response_id: str) -> Iterator[Any]:
        for part in objects(object_of(said, "content").get("parts")):
            yield from self._part(part, response_id)
        self.said |= _beyond(said, _KNOWN_IN_CANDIDATE)
        if reason := _finish(said.get("finishReason")):
            self.finish = reason
            yield from self._whole(self._calls.end())

    def _part(self, part: dict[str, Any], response_id: str) -> Iterator[Any]:
        if "functionCall" in part:
            yield from self._whole(self._calls.read(part, response_id))
        elif "text" in part or not part.keys() - _SIGNATURE_ALONE:
            yield from self._text(part)
        elif part:
            self._others.append(part)
            self.answered = True

    def _text(self, part: dict[str, Any]) -> Iterator[Any]:
        text = text_of(part, "text")
        if part.get("thought") is True:
            self._thought.append(text)
            if text:
                yield pb.Delta(choice_index=self.index, reasoning=text)
        elif text:
            self.answered = True
            yield pb.Delta(choice_index=self.index, text=text)
        if (block := block_of(part, "".join(self._thought))) is not None:
            self._thought.clear()
            yield pb.Delta(choice_index=self.index, reasoning_block=block)

    def _whole(self, calls: list[payload_pb2.ToolCall]) -> Iterator[pb.ToolCallDelta]:
        for place, call in enumerate(calls, self._calls.count - len(calls)):
            self.answered = True
            yield pb.ToolCallDelta(
                choice_index=self.index,
                tool_index=place,
                id=call.id,
                name=call.name,
                arguments=call.arguments,
                signature=call.signature,
            )


def _finish(reason: Any) -> str:
    """Empty if none. Some gateways write the numbers of an enumeration for its names."""
    if type(reason) is int and reason > 0:
        return str(reason)
    return reason if isinstance(reason, str) and reason != _UNSPECIFIED else ""


def _beyond(said: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in known and value not in (None, [], {}, "")}

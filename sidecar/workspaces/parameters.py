"""An alias's defaults for parameters, put into a payload where the caller has set none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Operation
from taximeter.v1 import payload_pb2 as pb

PAYLOADS: Mapping[Operation, type[Message]] = {
    Operation.CHAT: pb.ChatRequest,
    Operation.COMPLETION: pb.CompletionRequest,
    Operation.EMBEDDING: pb.EmbeddingRequest,
    Operation.MODERATION: pb.ModerationRequest,
}
CONTENT = frozenset({"messages", "prompt", "more_prompts", "suffix", "inputs", "token_inputs", "parts"})
"""What a call is about, which no alias can know."""
MAX_KEPT = 1024
_kept: dict[tuple[type[Message], int], tuple[Mapping[str, object], Message]] = {}
"""Messages of defaults, by the identity of the parameters that they were made of."""


def with_defaults(payload: Any, parameters: Mapping[str, object], max_tokens: int | None) -> Any:
    """A copy with the defaults in it, and no more output than `max_tokens`; the payload itself if nothing changes.

    Where a parameter means nothing to this kind of payload it is left out.
    """
    if not parameters and max_tokens is None:
        return payload
    made = type(payload)()
    if parameters:
        made.CopyFrom(_defaults(type(payload), parameters))
        for name in _replaced(payload):
            made.ClearField(name)
    made.MergeFrom(payload)
    if max_tokens is not None and "max_tokens" in made.DESCRIPTOR.fields_by_name:
        asked = made.max_tokens if made.HasField("max_tokens") else max_tokens
        made.max_tokens = min(asked, max_tokens)
    return made


def field_of(kind: type[Message], name: str, value: object) -> Message | None:
    """A message with this one field set; None if it has no such field, or the value is none for it."""
    if name not in kind.DESCRIPTOR.fields_by_name or value is None:
        return None
    try:
        return ParseDict({name: value}, kind())
    except ParseError:
        return None


def _defaults(kind: type[Message], parameters: Mapping[str, object]) -> Message:
    known = _kept.get((kind, id(parameters)))
    if known is not None and known[0] is parameters:
        return known[1]
    made = kind()
    for name, value in parameters.items():
        if name not in CONTENT and (field := field_of(kind, name, value)) is not None:
            made.MergeFrom(field)
    if len(_kept) >= MAX_KEPT:
        del _kept[next(iter(_kept))]
    _kept[kind, id(parameters)] = parameters, made
    return made


def _replaced(payload: Message) -> Iterator[str]:
    """Fields of the payload that merging would mix with the defaults. Structs do mix, key by key: what is said to one
    provider leaves the defaults for another."""
    for field, _ in payload.ListFields():
        of = field.message_type
        if field.is_repeated or (of is not None and of.full_name != Struct.DESCRIPTOR.full_name):
            yield field.name

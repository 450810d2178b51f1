"""Each field of a request, set in a place where it means something: for holding wires to dropping none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Operation
from taximeter.v1 import payload_pb2 as pb

REQUESTS: Mapping[Operation, type[Message]] = {
    Operation.CHAT: pb.ChatRequest,
    Operation.COMPLETION: pb.CompletionRequest,
    Operation.EMBEDDING: pb.EmbeddingRequest,
    Operation.MODERATION: pb.ModerationRequest,
}


@dataclass(frozen=True)
class Case:
    """A request without a field and the same with it."""

    name: str
    """`place.field`: "tool.description"."""
    without: Message
    with_it: Message


def cases(operation: Operation) -> Iterator[Case]:
    for place, message, into in _places(operation):
        for field in message.DESCRIPTOR.fields:
            changed = type(message)()
            changed.CopyFrom(message)
            if _set(changed, field, place) and changed != message:
                yield Case(f"{place}.{field.name}", into(message), into(changed))


def visited(operation: Operation) -> set[str]:
    """Full names of the messages whose fields are set."""
    return {message.DESCRIPTOR.full_name for _, message, _ in _places(operation)}


def reachable(operation: Operation) -> set[str]:
    """Full names of our messages within a request."""
    found: set[str] = set()

    def walk(descriptor: Any) -> None:
        if descriptor.full_name in found or not descriptor.full_name.startswith("taximeter."):
            return
        found.add(descriptor.full_name)
        for field in descriptor.fields:
            if field.message_type is not None and not field.message_type.GetOptions().map_entry:
                walk(field.message_type)

    walk(REQUESTS[operation].DESCRIPTOR)
    return found


Into = Callable[[Any], Message]
USER = pb.ChatMessage(role=pb.ROLE_USER, text="hi")
CALL = pb.ToolCall(id="c1", name="f", arguments='{"a":1}')
ASKED = pb.ChatMessage(role=pb.ROLE_ASSISTANT, tool_calls=[CALL])
GAVE = pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="c1", text="4")
TOOL = pb.Tool(name="f")
PNG = pb.ImagePart(data=b"\x89PNG", media_type="image/png")
WAV = pb.AudioPart(data=b"RIFF", format="wav")
PDF = pb.FilePart(data=b"%PDF-1", media_type="application/pdf")
SCHEMA = pb.JsonSchema(name="n", schema=Struct())


def _places(operation: Operation) -> Iterator[tuple[str, Any, Into]]:
    """(place, a message there as it stands without the field, how it gets into a request)."""
    match operation:
        case Operation.CHAT:
            yield "chat", pb.ChatRequest(messages=[USER]), lambda request: request
            yield "tools", pb.ChatRequest(messages=[USER], tools=[TOOL]), lambda request: request
            yield from _in_chat()
        case Operation.COMPLETION:
            yield "completion", pb.CompletionRequest(prompt="hi"), lambda request: request
        case Operation.EMBEDDING:
            yield "embedding", pb.EmbeddingRequest(inputs=["hi"]), lambda request: request
            tokens = pb.TokenInput(tokens=[1])
            yield "tokens", tokens, lambda each: pb.EmbeddingRequest(token_inputs=[each])
        case _:
            yield "moderation", pb.ModerationRequest(), lambda request: request


def _in_chat() -> Iterator[tuple[str, Any, Into]]:
    def said(message: pb.ChatMessage) -> Message:
        return pb.ChatRequest(messages=[USER, message, USER])

    def gave(message: pb.ChatMessage) -> Message:
        return pb.ChatRequest(messages=[USER, ASKED, message], tools=[TOOL])

    def part(found: pb.ContentPart) -> Message:
        return pb.ChatRequest(messages=[pb.ChatMessage(role=pb.ROLE_USER, parts=[found])])

    yield "user", USER, lambda message: pb.ChatRequest(messages=[message])
    yield "system", pb.ChatMessage(role=pb.ROLE_SYSTEM, text="be"), lambda each: pb.ChatRequest(messages=[each, USER])
    yield "assistant", pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="so"), said
    yield "result", GAVE, gave
    yield "part", pb.ContentPart(text="see"), part
    yield "image", PNG, lambda image: part(pb.ContentPart(image=image))
    yield "audio", WAV, lambda audio: part(pb.ContentPart(audio=audio))
    yield "file", PDF, lambda file: part(pb.ContentPart(file=file))
    yield "cache", pb.CachePoint(), lambda point: part(pb.ContentPart(text="see", cache_point=point))
    yield "tool", TOOL, lambda tool: pb.ChatRequest(messages=[USER], tools=[tool])
    yield "call", CALL, _answered
    yield (
        "thought",
        pb.ReasoningBlock(text="hm", signature="sig"),
        lambda block: said(pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="so", reasoning_blocks=[block])),
    )
    yield "choice", pb.ToolChoice(), lambda choice: pb.ChatRequest(messages=[USER], tools=[TOOL], tool_choice=choice)
    yield "format", pb.ResponseFormat(), lambda wanted: pb.ChatRequest(messages=[USER], response_format=wanted)
    yield (
        "schema",
        SCHEMA,
        lambda schema: pb.ChatRequest(messages=[USER], response_format=pb.ResponseFormat(json_schema=schema)),
    )


def _answered(call: pb.ToolCall) -> Message:
    asked = pb.ChatMessage(role=pb.ROLE_ASSISTANT, tool_calls=[call])
    gave = pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id=call.id, text="4")
    return pb.ChatRequest(messages=[USER, asked, gave], tools=[TOOL])


_WITH_TOOLS = ("tool_choice", "parallel_tool_calls")
"""What of a request means something only beside tools."""
_OF_ROLE: Mapping[str, tuple[str, ...]] = {
    "reasoning": ("assistant",),
    "reasoning_blocks": ("assistant",),
    "refusal": ("assistant",),
    "tool_calls": ("assistant",),
    "tool_call_id": ("result",),
    "tool_failed": ("result",),
}
"""Whose fields they are, by payload.proto."""
_VALUES: Mapping[str, Any] = {
    "chat.reasoning_effort": "low",
    "tools.tool_choice": pb.ToolChoice(mode="required"),
    "chat.response_format": pb.ResponseFormat(json_schema=SCHEMA),
    "chat.tools": pb.Tool(name="g"),
    "chat.messages": USER,
    "tools.parallel_tool_calls": False,
    "chat.temperature": 0.5,
    "chat.top_p": 0.5,
    "choice.mode": "required",
    "choice.name": "f",
    "file.media_type": "text/plain",
    "image.media_type": "image/jpeg",
    "image.url": "https://h.test/i.png",
    "file.url": "https://h.test/f.pdf",
    "image.detail": "low",
    "audio.format": "mp3",
    "cache.ttl": "1h",
    "format.text": True,
    "call.arguments": '{"a":2}',
    "embedding.input_type": "search_query",
}
"""Where any value of the type would not do."""


def _set(message: Message, field: FieldDescriptor, place: str) -> bool:
    """False where it means nothing there, and for what is passed on untouched."""
    name = f"{place}.{field.name}"
    if (place == "tools") != (field.name in _WITH_TOOLS) or place not in _OF_ROLE.get(field.name, (place,)):
        return False
    if field.name in ("provider_options", "role"):
        return False
    value = _VALUES.get(name, _value(field))
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)["1"] = 2.0
    elif field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, value)
    return True


def _value(field: FieldDescriptor) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return b"x" if field.type == FieldDescriptor.TYPE_BYTES else "x"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return 0.5
        case FieldDescriptor.CPPTYPE_MESSAGE:
            return _EXAMPLES.get(field.message_type.full_name if field.message_type else "", Struct())
        case _:
            return 2


_OBJECT = Struct()
_OBJECT.update({"type": "object", "properties": {"a": {"type": "number"}}})
_EXAMPLES: Mapping[str, Any] = {
    "google.protobuf.Struct": _OBJECT,
    "taximeter.v1.CachePoint": pb.CachePoint(),
    "taximeter.v1.ContentPart": pb.ContentPart(text="more"),
    "taximeter.v1.ToolCall": CALL,
    "taximeter.v1.ReasoningBlock": pb.ReasoningBlock(text="hm", signature="sig"),
    "taximeter.v1.JsonSchema": SCHEMA,
    "taximeter.v1.ImagePart": PNG,
    "taximeter.v1.AudioPart": WAV,
    "taximeter.v1.FilePart": PDF,
    "taximeter.v1.TokenInput": pb.TokenInput(tokens=[1, 2]),
    "taximeter.v1.ChatMessage": USER,
}

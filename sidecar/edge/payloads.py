"""What a payload must be before anyone is asked. Each check yields (field path, what is wrong), and goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from taximeter.v1 import payload_pb2 as pb

Violation = tuple[str, str]

# Only what no provider takes is refused here; narrower limits are the provider's to tell.
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "top_k": (0, 2**31 - 1),
    "max_tokens": (1, 2**31 - 1),
    "choice_count": (1, 128),
    "best_of": (1, 128),
    "frequency_penalty": (-100, 100),
    "presence_penalty": (-100, 100),
    "logprobs": (0, 128),
    "top_logprobs": (0, 128),
    "dimensions": (1, 2**31 - 1),
}
_TOOL_MODES = ("auto", "none", "required")
_ADDRESSES = ("https://", "http://", "data:", "s3://", "gs://")
"""Buckets are for providers that read them by the account's own rights (AWS Bedrock, Vertex AI)."""
_NO_ADDRESS = "must be an https:, data:, s3: or gs: URL"


def violations(payload: Message, at: str) -> Iterator[Violation]:
    """Everything wrong with a payload that stands at the path `at`."""
    match payload:
        case pb.ChatRequest():
            yield from _chat(payload, at)
        case pb.CompletionRequest():
            if not payload.prompt and not payload.more_prompts:
                yield f"{at}.prompt", "is required"
        case pb.EmbeddingRequest():
            yield from _embedding(payload, at)
        case pb.ModerationRequest():
            if not payload.inputs and not payload.parts and not payload.messages:
                yield f"{at}.inputs", "at least one is required"
            yield from _parts(payload.parts, f"{at}.parts")
            for place, message in enumerate(payload.messages):
                yield from _message(message, f"{at}.messages[{place}]")
    yield from numbers(payload, at)


def numbers(payload: Any, at: str) -> Iterator[Violation]:
    for name, (low, high) in _RANGES.items():
        field = payload.DESCRIPTOR.fields_by_name.get(name)
        if field is None or field.cpp_type == field.CPPTYPE_BOOL or not payload.HasField(name):
            continue
        if not low <= getattr(payload, name) <= high:
            yield f"{at}.{name}", f"must be from {low:g} to {high:g}"
    for token, bias in getattr(payload, "logit_bias", {}).items():
        if not math.isfinite(bias):
            yield f"{at}.logit_bias[{token!r}]", "must be a finite number"
    if not finite(payload.provider_options):
        yield f"{at}.provider_options", "numbers must be finite"


def _chat(chat: pb.ChatRequest, at: str) -> Iterator[Violation]:
    if bool(chat.prompt) == bool(chat.messages):
        yield f"{at}.messages", "set either messages or prompt"
    for place, message in enumerate(chat.messages):
        yield from _message(message, f"{at}.messages[{place}]")
    for place, tool in enumerate(chat.tools):
        if not tool.name:
            yield f"{at}.tools[{place}].name", "is required"
        if not finite(tool.parameters):
            yield f"{at}.tools[{place}].parameters", "numbers must be finite"
    yield from _tool_choice(chat, at)
    yield from _response_format(chat.response_format, f"{at}.response_format")


def _tool_choice(chat: pb.ChatRequest, at: str) -> Iterator[Violation]:
    if not chat.HasField("tool_choice"):
        return
    match chat.tool_choice.WhichOneof("choice"):
        case "mode" if chat.tool_choice.mode not in _TOOL_MODES:
            yield f"{at}.tool_choice.mode", f"must be one of {', '.join(_TOOL_MODES)}"
        case "name" if chat.tool_choice.name not in {tool.name for tool in chat.tools}:
            yield f"{at}.tool_choice.name", "names none of the tools"
        case None:
            yield f"{at}.tool_choice", "set mode or name"


def _response_format(wanted: pb.ResponseFormat, at: str) -> Iterator[Violation]:
    if wanted.WhichOneof("format") != "json_schema":
        return
    if not wanted.json_schema.name:
        yield f"{at}.json_schema.name", "is required"
    if not finite(wanted.json_schema.schema):
        yield f"{at}.json_schema.schema", "numbers must be finite"


def _message(message: pb.ChatMessage, at: str) -> Iterator[Violation]:
    if message.role not in pb.Role.values() or not message.role:
        yield f"{at}.role", "is required"
    if message.HasField("text") and message.parts:
        yield at, "set either text or parts"
    said = message.HasField("text") or message.parts
    if not said and not (
        message.role == pb.ROLE_ASSISTANT
        and (message.tool_calls or message.refusal or message.reasoning or message.reasoning_blocks)
    ):
        yield f"{at}.text", "is required"
    if message.role == pb.ROLE_TOOL and not message.tool_call_id:
        yield f"{at}.tool_call_id", "is required of a tool's answer"
    for place, call in enumerate(message.tool_calls):
        if not call.name:
            yield f"{at}.tool_calls[{place}].name", "is required"
    yield from _parts(message.parts, f"{at}.parts")


def _parts(parts: Iterable[pb.ContentPart], at: str) -> Iterator[Violation]:
    for place, part in enumerate(parts):
        where = f"{at}[{place}]"
        match part.WhichOneof("part"):
            case "image":
                yield from _image(part.image, f"{where}.image")
            case "audio" if not part.audio.data or not part.audio.format:
                yield f"{where}.audio", "data and format are required"
            case "file" if not (part.file.file_id or part.file.data or part.file.url):
                yield f"{where}.file", "set file_id, data or url"
            case "file" if part.file.url and not part.file.url.startswith(_ADDRESSES):
                yield f"{where}.file.url", _NO_ADDRESS
            case None:
                yield where, "set one of text, image, audio, file"


def _image(image: pb.ImagePart, at: str) -> Iterator[Violation]:
    match image.WhichOneof("source"):
        case "url" if not image.url.startswith(_ADDRESSES):
            yield f"{at}.url", _NO_ADDRESS
        case "data" if not image.media_type:
            yield f"{at}.media_type", "is required with data"
        case None:
            yield at, "set url or data"


def _embedding(embedding: pb.EmbeddingRequest, at: str) -> Iterator[Violation]:
    if bool(embedding.inputs) == bool(embedding.token_inputs):
        yield f"{at}.inputs", "set either inputs or token_inputs"
    for place, tokens in enumerate(embedding.token_inputs):
        if not tokens.tokens:
            yield f"{at}.token_inputs[{place}].tokens", "is required"


def finite(struct: Struct) -> bool:
    """JSON has no NaN and no infinity."""
    pending: list[Value] = list(struct.fields.values())
    while pending:
        value = pending.pop()
        match value.WhichOneof("kind"):
            case "number_value" if not math.isfinite(value.number_value):
                return False
            case "struct_value":
                pending.extend(value.struct_value.fields.values())
            case "list_value":
                pending.extend(value.list_value.values)
    return True

"""Chat content as people write it (strings, dicts in OpenAI's manner, our messages) -> our messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct

from taximeter.v1 import payload_pb2 as pb

ChatMessages = str | Iterable[pb.ChatMessage | Mapping[str, Any]]


def chat_fields(messages: ChatMessages, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of a ChatRequest; a string is a prompt."""
    made = dict(fields)
    if isinstance(messages, str):
        made["prompt"] = messages
    else:
        made["messages"] = [message(each) for each in messages]
    if "tools" in made:
        made["tools"] = [tool(each) for each in made["tools"]]
    if "tool_choice" in made:
        made["tool_choice"] = tool_choice(made["tool_choice"])
    if "response_format" in made:
        made["response_format"] = response_format(made["response_format"])
    return made


def struct(values: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(dict(values))
    return made


def message(given: pb.ChatMessage | Mapping[str, Any]) -> pb.ChatMessage:
    """{"role": "user", "content": "hi"} and its kin; `content` may be a list of parts."""
    if isinstance(given, pb.ChatMessage):
        return given
    fields = {name: value for name, value in given.items() if value is not None}
    made = pb.ChatMessage(role=_role(fields.pop("role", "")))
    content = fields.pop("content", None)
    if isinstance(content, str):
        made.text = content
    elif content is not None:
        made.parts.extend(part(each) for each in content)
    made.tool_calls.extend(_tool_call(each) for each in fields.pop("tool_calls", ()))
    made.MergeFrom(
        pb.ChatMessage(**_known(fields, ("name", "tool_call_id", "reasoning", "refusal", "text"), "message"))
    )
    return made


def part(given: pb.ContentPart | Mapping[str, Any]) -> pb.ContentPart:
    if isinstance(given, pb.ContentPart):
        return given
    match given.get("type"):
        case "text":
            return pb.ContentPart(text=given["text"])
        case "image_url":
            image = given["image_url"]
            url, detail = (image, "") if isinstance(image, str) else (image["url"], image.get("detail", ""))
            return pb.ContentPart(image=pb.ImagePart(url=url, detail=detail))
        case other:
            raise TypeError(f"a content part of type {other!r}: give a taximeter.v1 ContentPart")


def tool(given: pb.Tool | Mapping[str, Any]) -> pb.Tool:
    if isinstance(given, pb.Tool):
        return given
    fields = dict(given.get("function", given))
    if "parameters" in fields:
        fields["parameters"] = struct(fields["parameters"])
    return pb.Tool(**_known(fields, ("name", "description", "parameters", "strict"), "tool"))


def tool_choice(given: pb.ToolChoice | str | Mapping[str, Any]) -> pb.ToolChoice:
    """ "auto", "none", "required", or the tool's name in a dict."""
    if isinstance(given, pb.ToolChoice):
        return given
    if isinstance(given, str):
        return pb.ToolChoice(mode=given)
    return pb.ToolChoice(name=given.get("function", given)["name"])


def response_format(given: pb.ResponseFormat | Mapping[str, Any]) -> pb.ResponseFormat:
    if isinstance(given, pb.ResponseFormat):
        return given
    match given.get("type"):
        case "text":
            return pb.ResponseFormat(text=True)
        case "json_object":
            return pb.ResponseFormat(json_object=True)
        case "json_schema":
            fields = dict(given["json_schema"])
            fields["schema"] = struct(fields.get("schema", {}))
            known = _known(fields, ("name", "description", "schema", "strict"), "json_schema")
            return pb.ResponseFormat(json_schema=pb.JsonSchema(**known))
        case other:
            raise TypeError(f"response_format of type {other!r}: must be text, json_object or json_schema")


def _role(name: str) -> pb.Role.ValueType:
    try:
        return pb.Role.Value(f"ROLE_{name.upper()}")
    except ValueError:
        raise TypeError(f"role={name!r}: must be system, developer, user, assistant or tool") from None


def _tool_call(given: pb.ToolCall | Mapping[str, Any]) -> pb.ToolCall:
    if isinstance(given, pb.ToolCall):
        return given
    function = given.get("function", given)
    return pb.ToolCall(id=given.get("id", ""), name=function["name"], arguments=function.get("arguments", ""))


def _known(fields: Mapping[str, Any], names: tuple[str, ...], owner: str) -> dict[str, Any]:
    """A field that would be dropped is an error."""
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise TypeError(f"{owner}: unknown field {unknown[0]!r}")
    return dict(fields)

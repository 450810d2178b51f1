"""Options -> CallSpec: what a person writes and what is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from taximeter import calls
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from taximeter.v1 import usage_pb2

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}, "strict": True}}


@pytest.mark.parametrize(
    ("options", "field", "expected"),
    [
        pytest.param({}, "destination", None, id="nowhere"),
        pytest.param({"alias": "smart"}, "alias", "smart", id="alias"),
        pytest.param({"task": "agent"}, "task", "agent", id="task"),
        pytest.param({"provider": "o", "model": "m"}, "target", pb.ModelRef(provider="o", model="m"), id="target"),
        pytest.param({"provider": "o"}, "target", pb.ModelRef(provider="o"), id="default-model"),
        pytest.param({"capability": "chat"}, "capability", pb.CAPABILITY_CHAT, id="capability"),
        pytest.param({"routing_preference": "cost"}, "routing_preference", pb.ROUTING_PREFERENCE_COST, id="preference"),
        pytest.param({"stream_recovery": "buffer"}, "stream_recovery", pb.STREAM_RECOVERY_BUFFER, id="recovery"),
        pytest.param({"tags": {"team": "x"}}, "tags", {"team": "x"}, id="tags"),
        pytest.param({"request_id": "r"}, "request_id", "r", id="request-id"),
        pytest.param({"alias": None, "temperature": None}, "destination", None, id="none-is-not-said"),
    ],
)
def test_options_of_a_call(options: dict[str, Any], field: str, expected: Any) -> None:
    spec = calls.chat_spec("hi", options)
    found: Any = spec.WhichOneof("destination") if field == "destination" else getattr(spec, field)
    assert (dict(found) if field == "tags" else found) == expected


def test_timeouts_are_seconds() -> None:
    spec = calls.chat_spec("hi", {"ttft_s": 1.5, "stall_s": 2})
    assert spec.timeouts.ttft.ToMilliseconds() == 1500
    assert spec.timeouts.stall.ToMilliseconds() == 2000
    assert not spec.timeouts.HasField("response")


def test_an_explicit_zero_is_sent() -> None:
    request = calls.chat_spec("hi", {"temperature": 0.0, "seed": 0}).chat
    assert (request.HasField("temperature"), request.HasField("seed"), request.HasField("top_p")) == (True, True, False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"role": "user", "content": "hi"}, payload.ChatMessage(role=payload.ROLE_USER, text="hi"), id="text"
        ),
        pytest.param(
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "data:,"}]},
            payload.ChatMessage(
                role=payload.ROLE_USER,
                parts=[
                    payload.ContentPart(text="a"),
                    payload.ContentPart(image=payload.ImagePart(url="data:,")),
                ],
            ),
            id="parts",
        ),
        pytest.param(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
            },
            payload.ChatMessage(
                role=payload.ROLE_ASSISTANT, tool_calls=[payload.ToolCall(id="1", name="add", arguments="{}")]
            ),
            id="tool-calls",
        ),
        pytest.param(
            {"role": "tool", "tool_call_id": "1", "content": "4"},
            payload.ChatMessage(role=payload.ROLE_TOOL, tool_call_id="1", text="4"),
            id="tool-answer",
        ),
        pytest.param(
            payload.ChatMessage(role=payload.ROLE_USER, text="x"),
            payload.ChatMessage(role=payload.ROLE_USER, text="x"),
            id="ours",
        ),
    ],
)
def test_messages(given: Any, expected: payload.ChatMessage) -> None:
    assert list(calls.chat_spec([given], {}).chat.messages) == [expected]


def test_tools_and_formats() -> None:
    request = calls.chat_spec(
        "hi",
        {
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "add"}},
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "provider_options": {"openai": {"store": False}},
        },
    ).chat
    assert (request.tools[0].name, request.tools[0].parameters["type"], request.tools[0].strict) == (
        "add",
        "object",
        True,
    )
    assert request.tool_choice.name == "add"
    assert request.response_format.json_schema.name == "n"
    assert MessageToDict(request.provider_options) == {"openai": {"store": False}}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"alias": "a", "task": "b"}, id="two-destinations"),
        pytest.param({"alias": "a", "provider": "b"}, id="alias-and-provider"),
        pytest.param({"model": "m"}, id="model-without-provider"),
        pytest.param({"capability": "cooking"}, id="unknown-capability"),
        pytest.param({"response_format": {"type": "xml"}}, id="unknown-format"),
        pytest.param({"tools": [{"name": "a", "color": "red"}]}, id="unknown-tool-field"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        calls.chat_spec("hi", options)


def test_an_unknown_parameter_is_an_error() -> None:
    with pytest.raises(ValueError, match="temprature"):
        calls.chat_spec("hi", {"temprature": 1})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("http://127.0.0.1:50051/", "127.0.0.1:50051"),
        ("unix:///run/taximeter.sock", "unix:///run/taximeter.sock"),
        ("unix:taximeter.sock", "unix:taximeter.sock"),
    ],
)
def test_target(address: str, expected: str) -> None:
    assert calls.target(address) == expected


def test_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAXIMETER_ADDRESS", raising=False)
    assert calls.default_address() == "127.0.0.1:50051"
    monkeypatch.setenv("TAXIMETER_ADDRESS", "unix:///x.sock")
    assert calls.default_address() == "unix:///x.sock"


def test_usage_is_asked_for_in_utc() -> None:
    until = datetime(2026, 1, 8, 12, tzinfo=UTC)
    request = calls.usage_request(["provider", "alias"], timedelta(days=7), until, None)
    assert request.period.start.ToDatetime(UTC) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert request.period.end.ToDatetime(UTC) == until
    assert list(request.group_by) == [usage_pb2.USAGE_DIMENSION_PROVIDER, usage_pb2.USAGE_DIMENSION_ALIAS]


def test_tags_are_groups_of_their_own() -> None:
    request = calls.usage_request(["tag:team", "week"], timedelta(days=7), None, None)
    assert (list(request.group_by), list(request.group_by_tags)) == ([usage_pb2.USAGE_DIMENSION_WEEK], ["team"])


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        calls.usage_request(["colour"], timedelta(days=7), None, None)

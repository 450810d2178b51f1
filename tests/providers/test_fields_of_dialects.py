"""Fields that some servers take in a way of their own, and others not at all."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation
from sidecar.core.faults import Unsupported
from sidecar.providers.registry import wire
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

SCHEMA = pb.ResponseFormat(json_schema=pb.JsonSchema(name="n", description="a colour"))
SCHEMA.json_schema.schema.update({"type": "object"})


def body(type_: str, request: Any, operation: Operation = Operation.CHAT) -> dict[str, Any]:
    at = account(type_)
    return sent(wire(at.wire)[operation].encode(request, "m", False, at, "k"))


def said(type_: str, **message: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = body(type_, pb.ChatRequest(messages=[pb.ChatMessage(**message)]))["messages"]
    return found[0]


@pytest.mark.parametrize(
    ("type_", "point", "expected"),
    [
        pytest.param("openrouter", pb.CachePoint(ttl="1h"), {"type": "ephemeral", "ttl": "1h"}, id="openrouter"),
        pytest.param("alibaba", pb.CachePoint(), {"type": "ephemeral"}, id="alibaba"),
        pytest.param("openai", pb.CachePoint(), None, id="openai caches by itself"),
    ],
)
def test_a_cache_point_stands_on_its_part(type_: str, point: pb.CachePoint, expected: Any) -> None:
    (part,) = said(type_, role=pb.ROLE_USER, parts=[pb.ContentPart(text="long", cache_point=point)])["content"]
    assert part.get("cache_control") == expected


@pytest.mark.parametrize(("type_", "expected"), [("openrouter", "search_query"), ("openai", None)])
def test_what_vectors_are_for_is_told_to_who_asks(type_: str, expected: Any) -> None:
    request = pb.EmbeddingRequest(inputs=["hi"], input_type="search_query")
    assert body(type_, request, Operation.EMBEDDING).get("input_type") == expected


@pytest.mark.parametrize(("type_", "field"), [("deepseek", "reasoning_content"), ("ollama", "thinking")])
def test_blocks_alone_are_reasoning_too(type_: str, field: str) -> None:
    blocks = [pb.ReasoningBlock(text="a"), pb.ReasoningBlock(redacted="x"), pb.ReasoningBlock(text="b")]
    assert said(type_, role=pb.ROLE_ASSISTANT, text="so", reasoning_blocks=blocks)[field] == "a\n\nb"


@pytest.mark.parametrize("type_", ["cohere", "ollama"])
def test_what_a_schema_is_for_stands_in_the_schema(type_: str) -> None:
    found = body(type_, pb.ChatRequest(prompt="hi", response_format=SCHEMA))
    schema = found["format"] if type_ == "ollama" else found["response_format"]["json_schema"]
    assert schema == {"description": "a colour", "type": "object"}


def test_ollama_holds_no_call_to_its_schema() -> None:
    with pytest.raises(Unsupported, match="strict"):
        body("ollama", pb.ChatRequest(prompt="hi", tools=[pb.Tool(name="f", strict=True)]))


def test_a_refusal_follows_what_was_said() -> None:
    found = said("anthropic", role=pb.ROLE_ASSISTANT, text="well", refusal="no")
    assert [block["text"] for block in found["content"]] == ["well", "no"]

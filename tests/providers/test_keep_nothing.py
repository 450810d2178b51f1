"""Workspaces without retention: what each provider is asked, and what a caller's options cannot change."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.core.faults import BadRequest
from sidecar.providers.registry import wire
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

AZURE = "https://r.openai.azure.com"
ZDR = {"zdr": True, "data_collection": "deny"}
PAYLOADS: dict[Operation, Any] = {
    Operation.CHAT: pb.ChatRequest(prompt="hi"),
    Operation.COMPLETION: pb.CompletionRequest(prompt="hi"),
    Operation.EMBEDDING: pb.EmbeddingRequest(inputs=["hi"]),
    Operation.MODERATION: pb.ModerationRequest(inputs=["hi"]),
}


def body(
    type_: str, wire_: str = "", operation: Operation = Operation.CHAT, *, zero_retention: bool = True, **options: Any
) -> dict[str, Any]:
    """The request that goes to an account of that row."""
    to = account(type_, base_url=AZURE if type_ == "azure" else "https://api.test/v1", zero_retention=zero_retention)
    request = type(PAYLOADS[operation])()
    request.CopyFrom(PAYLOADS[operation])
    if options:
        json_format.ParseDict({"providerOptions": {type_: options}}, request)
    return sent(wire(wire_ or to.wire)[operation].encode(request, "m-1", False, to, "k"))


@pytest.mark.parametrize(
    ("type_", "wire_", "field", "expected"),
    [
        pytest.param("openai", "", "store", False, id="openai-chat"),
        pytest.param("openai", "openai-responses", "store", False, id="openai-responses"),
        pytest.param("azure", "azure-responses", "store", False, id="azure-responses"),
        pytest.param("xai", "openai-responses", "store", False, id="xai-responses"),
        pytest.param("fireworks", "openai-responses", "store", False, id="fireworks-responses"),
        pytest.param("perplexity", "perplexity-responses", "store", False, id="perplexity-agent"),
        pytest.param("gemini", "", "store", False, id="gemini"),
        pytest.param("openrouter", "", "provider", ZDR, id="openrouter"),
        pytest.param("vertexai", "", "store", None, id="vertexai-has-no-such-field"),
        pytest.param("azure", "", "store", None, id="azure-keeps-no-chat-unasked"),
        pytest.param("groq", "", "store", None, id="groq-has-no-such-field"),
        pytest.param("mistral", "", "store", None, id="mistral-has-no-such-field"),
    ],
)
def test_a_chat_asks_to_be_kept_nowhere(type_: str, wire_: str, field: str, expected: Any) -> None:
    assert body(type_, wire_).get(field) == expected


@pytest.mark.parametrize("operation", [Operation.COMPLETION, Operation.EMBEDDING])
def test_openrouter_is_asked_for_every_operation(operation: Operation) -> None:
    assert body("openrouter", operation=operation)["provider"] == ZDR


@pytest.mark.parametrize("operation", [Operation.COMPLETION, Operation.EMBEDDING, Operation.MODERATION])
def test_openai_is_not_asked_where_it_has_no_such_field(operation: Operation) -> None:
    assert "store" not in body("openai", operation=operation)


@pytest.mark.parametrize(
    ("type_", "wire_"),
    [
        pytest.param("openai", "", id="openai-chat"),
        pytest.param("openai", "openai-responses", id="responses"),
        pytest.param("azure", "", id="azure-chat"),
        pytest.param("azure", "azure-responses", id="azure-responses"),
        pytest.param("openai-compatible", "", id="any-server"),
        pytest.param("perplexity", "perplexity-responses", id="perplexity-agent"),
        pytest.param("gemini", "", id="gemini"),
        pytest.param("vertexai", "", id="vertexai"),
    ],
)
def test_an_option_that_asks_to_store_is_overridden(type_: str, wire_: str) -> None:
    assert body(type_, wire_, store=True)["store"] is False
    assert body(type_, wire_, zero_retention=False, store=True)["store"] is True


def test_a_background_answer_is_had_at_once() -> None:
    """It would have to be kept to be fetched."""
    asked = body("openai", "openai-responses", background=True)
    assert ("background" in asked, asked["store"]) == (False, False)


@pytest.mark.parametrize("wire_", ["openai-responses", "azure-responses"])
def test_a_conversation_at_the_provider_is_refused(wire_: str) -> None:
    type_ = "azure" if wire_.startswith("azure") else "openai"
    with pytest.raises(BadRequest, match="zero retention"):
        body(type_, wire_, conversation="conv_1")


def test_other_options_of_the_same_object_stay() -> None:
    asked = body("openrouter", provider={"sort": "price", "zdr": False})
    assert asked["provider"] == {"sort": "price", **ZDR}


@pytest.mark.parametrize("type_", ["openai", "openrouter", "gemini"])
def test_others_are_asked_as_before(type_: str) -> None:
    asked = body(type_, zero_retention=False)
    assert not asked.keys() & {"store", "provider"}

"""Embeddings at the Gemini API and at Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import Garbled, Unsupported
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest, Reply
from taximeter.v1 import payload_pb2 as pb
from tests.support.gemini import codec, target
from tests.support.providers import answer, sent

VERTEX = "https://a.test/v1/projects/p/locations/eu"


def encode(model: str = "gemini-embedding-001", type_: str = "gemini", **fields: Any) -> HttpRequest:
    request = pb.EmbeddingRequest(**{"inputs": ["a", "b"], **fields})
    base_url = VERTEX if type_ == "vertexai" else "https://g.test"
    return codec(Operation.EMBEDDING).encode(request, model, False, target(type_, base_url), "key-1")


def decode(body: Any) -> Reply:
    reply = codec(Operation.EMBEDDING).decode(answer(body))
    assert isinstance(reply, Reply)
    return reply


def content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


def test_several_texts_go_in_one_request() -> None:
    request = encode(dimensions=8, input_type="search_query")
    asked = {"model": "models/gemini-embedding-001", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8}
    assert request.url == "https://g.test/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert sent(request) == {"requests": [{**asked, "content": content(text)} for text in ("a", "b")]}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param("search_document", "RETRIEVAL_DOCUMENT", id="search_document"),
        pytest.param("retrieval_query", "RETRIEVAL_QUERY", id="retrieval_query"),
        pytest.param("clustering", "CLUSTERING", id="clustering"),
        pytest.param("semantic_similarity", "SEMANTIC_SIMILARITY", id="its own"),
    ],
)
def test_what_vectors_are_for(ours: str, theirs: str) -> None:
    assert sent(encode(inputs=["a"], input_type=ours))["requests"][0]["taskType"] == theirs


def test_older_models_of_vertex_predict() -> None:
    request = encode(type_="vertexai", dimensions=8, input_type="search_query")
    assert request.url == f"{VERTEX}/publishers/google/models/gemini-embedding-001:predict"
    assert sent(request) == {
        "instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in ("a", "b")],
        "parameters": {"outputDimensionality": 8},
    }


def test_newer_models_of_vertex_embed_a_content() -> None:
    request = encode("gemini-embedding-2", "vertexai", inputs=["a"], dimensions=8)
    assert request.url == f"{VERTEX}/publishers/google/models/gemini-embedding-2:embedContent"
    assert sent(request) == {"content": content("a"), "embedContentConfig": {"outputDimensionality": 8}}


@pytest.mark.parametrize(
    ("model", "type_", "fields"),
    [
        pytest.param("gemini-embedding-2", "vertexai", {}, id="one content at a time"),
        pytest.param("gemini-embedding-001", "gemini", {"token_inputs": [pb.TokenInput(tokens=[1])]}, id="tokens"),
    ],
)
def test_what_it_cannot_goes_to_the_next_target(model: str, type_: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encode(model, type_, **fields)


def options(**fields: Any) -> Any:
    request = pb.EmbeddingRequest()
    request.provider_options.update({"gemini": fields})
    return request.provider_options


def test_options_are_of_each_request() -> None:
    asked = sent(encode(provider_options=options(title="t")))["requests"]
    assert [each["title"] for each in asked] == ["t", "t"]


def test_options_may_be_all_of_the_requests() -> None:
    picture = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}}
    assert sent(encode(inputs=[], provider_options=options(requests=[picture]))) == {"requests": [picture]}


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        pytest.param(
            {"embeddings": [{"values": [0.5, 1]}, {"values": [2, 3]}], "usageMetadata": {"promptTokenCount": 4}},
            Usage(input=4, output=0),
            id="batchEmbedContents",
        ),
        pytest.param({"embeddings": [{"values": [0.5, 1]}, {"values": [2, 3]}]}, None, id="older models tell nothing"),
        pytest.param(
            {
                "predictions": [
                    {"embeddings": {"values": [0.5, 1], "statistics": {"token_count": 1}}},
                    {"embeddings": {"values": [2, 3], "statistics": {"token_count": 2}}},
                ]
            },
            Usage(input=3, output=0),
            id="predict",
        ),
    ],
)
def test_vectors(body: dict[str, Any], usage: Usage | None) -> None:
    reply = decode(body)
    assert [(each.index, list(each.values)) for each in reply.payload.embeddings] == [(0, [0.5, 1]), (1, [2, 3])]
    assert reply.usage == usage


def test_the_vector_of_a_content() -> None:
    reply = decode({"embedding": {"values": [1]}, "usageMetadata": {"promptTokenCount": 4}, "truncated": True})
    assert (list(reply.payload.embeddings[0].values), reply.usage) == ([1], Usage(input=4, output=0))
    assert to_plain(reply.payload.provider_metadata) == {"truncated": True}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"embeddings": [{"values": ["x"]}]}, id="no numbers"),
        pytest.param({"embeddings": [{"values": "x"}]}, id="text"),
        pytest.param({"embeddings": [{}]}, id="no values"),
        pytest.param(b"[]", id="a list"),
    ],
)
def test_what_is_no_embedding_is_garbled(body: Any) -> None:
    with pytest.raises(Garbled):
        decode(body)

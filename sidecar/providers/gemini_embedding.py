"""Embeddings at the Gemini API and at Vertex AI.

Gemini API   batchEmbedContents: a request for each text, in one    ai.google.dev/api/embeddings
Vertex AI    predict: `instances`, for text-embedding-* and gemini-embedding-001
             docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
             embedContent: one content, for what came after them
             docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest/v1beta1/
             projects.locations.publishers.models/embedContent
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from sidecar.core.call import Usage
from sidecar.core.catalog import Account
from sidecar.core.faults import Unsupported
from sidecar.providers.gemini_address import headers_of, is_vertex, resource, url_of
from sidecar.providers.gemini_fault import error_in, fault_of_error
from sidecar.providers.gemini_request import options_of, with_options
from sidecar.providers.reading import answer_of, count, garbled, object_of, objects
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpRequest, HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

_TASKS = {
    **dict.fromkeys(("search_query", "query"), "RETRIEVAL_QUERY"),
    **dict.fromkeys(("search_document", "document"), "RETRIEVAL_DOCUMENT"),
}
"""What others' words for it are here; others are the same in upper case (ai.google.dev/api/embeddings#tasktype)."""
_KNOWN = frozenset({"embeddings", "embedding", "predictions", "usageMetadata"})


def encode_embedding(
    request: pb.EmbeddingRequest, model: str, _stream: bool, account: Account, secret: str
) -> HttpRequest:
    if request.token_inputs:
        raise Unsupported("Gemini embeds text, not tokens")
    options = options_of(request, account)
    if not is_vertex(account):
        method, body = "batchEmbedContents", _batch(request, model, options)
    elif _by_predict(model):
        method, body = "predict", with_options(_predict(request), options)
    else:
        method, body = "embedContent", with_options(_content(request, model), options)
    url = url_of(account, model, method)
    return HttpRequest("POST", url, headers_of(account, secret), orjson.dumps(body))


def decode_embedding(response: HttpResponse) -> Reply:
    body = answer_of(response)
    if body.get("error"):
        raise fault_of_error(error_in(body), 0, response.headers)
    vectors = list(_vectors(body))
    if not vectors:
        raise garbled("the answer has no embeddings", response)
    payload = pb.EmbeddingResponse()
    for index, vector in enumerate(vectors):
        if not isinstance(vector, list):
            raise garbled("an embedding is not a list of numbers", response)
        try:
            payload.embeddings.add(index=index, values=vector)
        except (TypeError, ValueError):
            raise garbled("an embedding is not a list of numbers", response) from None
    if said := {name: value for name, value in body.items() if name not in _KNOWN and value}:
        payload.provider_metadata.CopyFrom(to_struct(said))
    return Reply(payload, _usage(body))


def _batch(request: pb.EmbeddingRequest, model: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options are for each of the requests, unless they are `requests`."""
    if "requests" in options:
        return options
    asked = {"model": resource(model), **_asked(request), **options}
    return {"requests": [{"content": {"parts": [{"text": text}]}, **asked} for text in request.inputs]}


def _predict(request: pb.EmbeddingRequest) -> dict[str, Any]:
    asked = _asked(request)
    task = {"task_type": asked["taskType"]} if "taskType" in asked else {}
    body: dict[str, Any] = {"instances": [{"content": text, **task} for text in request.inputs]}
    if "outputDimensionality" in asked:
        body["parameters"] = {"outputDimensionality": asked["outputDimensionality"]}
    return body


def _content(request: pb.EmbeddingRequest, model: str) -> dict[str, Any]:
    if len(request.inputs) > 1:
        raise Unsupported(f"at Vertex AI {model} embeds one text at a time")
    asked = _asked(request)
    config = {"embedContentConfig": asked} if asked else {}
    return {"content": {"parts": [{"text": text} for text in request.inputs]}, **config}


def _by_predict(model: str) -> bool:
    """As Google's own client has it: github.com/googleapis/python-genai, t_is_vertex_embed_content_model."""
    return model.endswith("gemini-embedding-001") or not ("gemini" in model or "maas" in model)


def _asked(request: pb.EmbeddingRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if request.input_type:
        asked["taskType"] = _TASKS.get(request.input_type, request.input_type.upper())
    if request.HasField("dimensions"):
        asked["outputDimensionality"] = request.dimensions
    return asked


def _vectors(body: dict[str, Any]) -> Iterable[Any]:
    """Of whichever method's answer."""
    yield from (each.get("values") for each in objects(body.get("embeddings")))
    yield from (object_of(each, "embeddings").get("values") for each in objects(body.get("predictions")))
    if "embedding" in body:
        yield object_of(body, "embedding").get("values")


def _usage(body: dict[str, Any]) -> Usage | None:
    """Output is none. Older models are not counted, or by each prediction."""
    counted = [object_of(body, "usageMetadata").get("promptTokenCount")]
    counted += [
        object_of(object_of(each, "embeddings"), "statistics").get("token_count")
        for each in objects(body.get("predictions"))
    ]
    known = [tokens for each in counted if (tokens := count(each)) is not None]
    return Usage(input=sum(known), output=0) if known else None

"""The models that an Ollama holds on its disk: requests and answers. Pure.

docs.ollama.com/api/tags, /api/show, /api/pull, /api/delete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.core.catalog import Account
from sidecar.core.faults import Garbled, ServerError, StreamCut
from sidecar.providers.http import headers_for
from sidecar.providers.ollama_fault import fault_of_error
from sidecar.providers.ollama_lines import LineParser
from sidecar.providers.ollama_request import NDJSON
from sidecar.providers.reading import json_object, objects, text_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import HttpRequest, HttpResponse
from taximeter.v1 import models_pb2 as pb

_SUCCESS = "success"
_LARGEST = 2**63 - 1


def list_request(account: Account, secret: str) -> HttpRequest:
    return _request("GET", "/api/tags", account, secret)


def show_request(model: str, account: Account, secret: str) -> HttpRequest:
    return _request("POST", "/api/show", account, secret, body={"model": model})


def delete_request(model: str, account: Account, secret: str) -> HttpRequest:
    return _request("DELETE", "/api/delete", account, secret, body={"model": model})


def pull_request(model: str, account: Account, secret: str) -> HttpRequest:
    return _request("POST", "/api/pull", account, secret, body={"model": model, "stream": True}, accept=NDJSON)


def listed(response: HttpResponse) -> pb.ListLocalModelsResponse:
    """Raises Garbled."""
    models = _object(response).get("models")
    if not isinstance(models, list):
        raise Garbled("the answer has no models", http_status=response.status)
    return pb.ListLocalModelsResponse(models=[_model(text_of(entry, "name"), entry) for entry in objects(models)])


def shown(model: str, response: HttpResponse) -> pb.ShowLocalModelResponse:
    """Raises Garbled."""
    body = _object(response)
    info = {name: value for name, value in _mapping(body, "model_info").items() if value is not None}
    capabilities = body.get("capabilities")
    found = pb.ShowLocalModelResponse(
        model=_model(model, body),
        capabilities=[each for each in capabilities if isinstance(each, str)] if isinstance(capabilities, list) else [],
        context_tokens=_count(info.get(f"{info.get('general.architecture')}.context_length")),
        license=_text(body.get("license")),
        template=text_of(body, "template"),
        parameters=text_of(body, "parameters"),
    )
    found.details.CopyFrom(to_struct({**_mapping(body, "details"), **({"model_info": info} if info else {})}))
    return found


class PullReader:
    """Reads one pull. It is a success when the server says so, and only then."""

    def __init__(self) -> None:
        self._lines = LineParser()
        self.done = False

    def feed(self, data: bytes) -> Iterator[pb.PullLocalModelResponse]:
        """Progress, as it becomes whole. Raises a Fault for an error line."""
        for line in self._lines.feed(data):
            yield from self._read(line.data)

    def finish(self) -> Iterator[pb.PullLocalModelResponse]:
        """After the last byte. Raises StreamCut if success was not told."""
        for line in self._lines.flush():
            yield from self._read(line.data)
        if not self.done:
            raise StreamCut("the server ended the pull without saying that it is done")

    def _read(self, line: bytes) -> Iterator[pb.PullLocalModelResponse]:
        said = json_object(line)
        if said is None:
            return
        if "error" in said:
            raise fault_of_error(said["error"], 0)
        status = text_of(said, "status")
        self.done = self.done or status == _SUCCESS
        yield pb.PullLocalModelResponse(
            status=status,
            digest=text_of(said, "digest"),
            total_bytes=_count(said.get("total")),
            completed_bytes=_count(said.get("completed")),
        )


def _request(
    method: str, path: str, account: Account, secret: str, *, body: Mapping[str, Any] | None = None, accept: str = ""
) -> HttpRequest:
    headers = headers_for(account, secret, stream=False, accept=accept)
    return HttpRequest(method, account.base_url.rstrip("/") + path, headers, orjson.dumps(body) if body else b"")


def _model(name: str, said: dict[str, Any]) -> pb.LocalModel:
    details = _mapping(said, "details")
    model = pb.LocalModel(
        name=name,
        size_bytes=_count(said.get("size")),
        digest=text_of(said, "digest"),
        family=text_of(details, "family"),
        parameter_size=text_of(details, "parameter_size"),
        quantization=text_of(details, "quantization_level"),
    )
    if (modified_at := _time(text_of(said, "modified_at"))) is not None:
        model.modified_at.CopyFrom(modified_at)
    return model


def _time(text: str) -> Timestamp | None:
    found = Timestamp()
    try:
        found.FromJsonString(text)
    except ValueError:
        return None
    return found


def _object(response: HttpResponse) -> dict[str, Any]:
    """The body. Raises Garbled, or ServerError for an error under a good status."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise Garbled("the answer is not JSON", http_status=response.status) from None
    if not isinstance(body, dict):
        raise Garbled("the answer is not a JSON object", http_status=response.status)
    if "error" in body:
        raise ServerError(text_of(body, "error"), http_status=response.status)
    return body


def _mapping(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """One text, or a list of them (licenses)."""
    texts = value if isinstance(value, list) else [value]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _count(value: Any) -> int:
    """0 where nothing sensible was said."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else 0

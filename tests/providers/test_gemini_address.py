"""Where Gemini is asked, and by which credentials."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sidecar.core.call import Operation
from sidecar.core.faults import ModelNotFound
from sidecar.providers import probe
from sidecar.providers.registry import wire
from taximeter.v1 import payload_pb2 as pb
from tests.support.gemini import codec, encode, target

VERTEX = "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu"
EXPRESS = "https://aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("type_", "base_url", "model", "url"),
    [
        pytest.param("gemini", "https://g.test", "m", "https://g.test/v1beta/models/m", id="the host alone"),
        pytest.param("gemini", "https://g.test/", "m", "https://g.test/v1beta/models/m", id="a slash"),
        pytest.param("gemini", "https://g.test/v1beta", "m", "https://g.test/v1beta/models/m", id="v1beta"),
        pytest.param("gemini", "https://g.test/v1", "m", "https://g.test/v1/models/m", id="v1"),
        pytest.param("gemini", "https://g.test/v1beta/models", "m", "https://g.test/v1beta/models/m", id="pasted"),
        pytest.param("gemini", "https://gw.test/google", "m", "https://gw.test/google/v1beta/models/m", id="gateway"),
        pytest.param("gemini", "https://g.test", "models/m", "https://g.test/v1beta/models/m", id="with its path"),
        pytest.param("gemini", "https://g.test", "tunedModels/t", "https://g.test/v1beta/tunedModels/t", id="tuned"),
        pytest.param("gemini", "https://g.test", "a?b=c", "https://g.test/v1beta/models/a%3Fb%3Dc", id="no query"),
        pytest.param("vertexai", VERTEX, "m", f"{VERTEX}/publishers/google/models/m", id="vertex"),
        pytest.param(
            "vertexai",
            "https://gw.test/projects/p/locations/eu",
            "m",
            "https://gw.test/v1/projects/p/locations/eu/publishers/google/models/m",
            id="vertex: no version",
        ),
        pytest.param(
            "vertexai", f"{VERTEX}/publishers/google", "m", f"{VERTEX}/publishers/google/models/m", id="pasted"
        ),
        pytest.param("vertexai", VERTEX, "endpoints/9", f"{VERTEX}/endpoints/9", id="a tuned model of the project's"),
        pytest.param(
            "vertexai", VERTEX, "publishers/meta/models/l", f"{VERTEX}/publishers/meta/models/l", id="a partner's"
        ),
        pytest.param("vertexai", EXPRESS, "m", f"{EXPRESS}/v1/publishers/google/models/m", id="express mode"),
    ],
)
def test_the_address(type_: str, base_url: str, model: str, url: str) -> None:
    assert encode({}, model, type_=type_, base_url=base_url).url == f"{url}:generateContent"


def test_a_stream_has_another_method() -> None:
    assert encode({}, "m", stream=True).url == "https://g.test/v1beta/models/m:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["", "..", "../x", "models/../files", "a//b"])
def test_no_name_leads_elsewhere(model: str) -> None:
    with pytest.raises(ModelNotFound):
        encode({}, model)


TOKEN = {"authorization": "Bearer ya29.t"}


@pytest.mark.parametrize(
    ("type_", "base_url", "secret", "expected"),
    [
        pytest.param("gemini", "https://g.test", "AIza1", {"x-goog-api-key": "AIza1"}, id="gemini: a key"),
        pytest.param("vertexai", VERTEX, "ya29.t", TOKEN, id="vertex: an access token"),
        pytest.param("vertexai", VERTEX, "AIza1", {"x-goog-api-key": "AIza1"}, id="vertex: a key"),
        pytest.param("vertexai", VERTEX, "other", {"authorization": "Bearer other"}, id="vertex: another token"),
        pytest.param("vertexai", EXPRESS, "AQ.1", {"x-goog-api-key": "AQ.1"}, id="express: a key"),
        pytest.param("vertexai", EXPRESS, "other", {"x-goog-api-key": "other"}, id="express: keys only"),
        pytest.param("vertexai", EXPRESS, "ya29.t", TOKEN, id="express: but for what is a token"),
    ],
)
def test_the_credentials(type_: str, base_url: str, secret: str, expected: Mapping[str, str]) -> None:
    at = target(type_, base_url)
    headers = codec().encode(pb.ChatRequest(prompt="hi"), "m", False, at, secret).headers
    assert {name: value for name, value in headers.items() if name in ("authorization", "x-goog-api-key")} == expected


@pytest.mark.parametrize(
    ("type_", "base_url", "url"),
    [
        pytest.param("gemini", "https://g.test", "https://g.test/v1beta/models", id="gemini"),
        pytest.param("gemini", "https://g.test/v1", "https://g.test/v1/models", id="its version"),
        pytest.param("vertexai", VERTEX, "", id="vertex lists none"),
    ],
)
def test_what_a_probe_asks(type_: str, base_url: str, url: str) -> None:
    asked = probe.request(target(type_, base_url), wire("gemini"), "key")
    assert (asked.url if asked else "") == url


def test_it_has_two_operations() -> None:
    assert set(wire("gemini")) == {Operation.CHAT, Operation.EMBEDDING}

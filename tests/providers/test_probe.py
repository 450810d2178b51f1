"""The question that costs nothing: its address at each wire, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from sidecar.core.catalog import Account
from sidecar.providers import probe, registry
from sidecar.providers.wire import HttpRequest, HttpResponse
from sidecar.settings.rows import known_rows

SECRET = "sk-0123456789abcdef"


def account(type_: str, base_url: str = "", **options: object) -> Account:
    row = known_rows()[type_]
    return Account(type_, type_, row.wire, base_url or row.base_url, options={**row.options, **options})


def asked(of: Account) -> HttpRequest | None:
    return probe.request(of, registry.wire(of.wire), SECRET)


@pytest.mark.parametrize(
    ("of", "url"),
    [
        pytest.param(account("openai"), "https://api.openai.com/v1/models", id="openai"),
        pytest.param(account("anthropic"), "https://api.anthropic.com/v1/models", id="anthropic"),
        pytest.param(account("cohere"), "https://api.cohere.com/v1/models", id="cohere: v1"),
        pytest.param(
            account("gemini"),
            "https://generativelanguage.googleapis.com/v1beta/models",
            id="gemini: its newest version",
        ),
        pytest.param(account("ollama", "http://h:1"), "http://h:1/api/tags", id="ollama: tags"),
        pytest.param(account("replicate"), "https://api.replicate.com/v1/account", id="replicate: account"),
        pytest.param(account("vllm", "http://h:1/v1"), "http://h:1/v1/models", id="a server of one's own"),
        pytest.param(account("openrouter"), "https://openrouter.ai/api/v1/key", id="openrouter: its list is public"),
        pytest.param(account("perplexity"), "https://api.perplexity.ai/v1/models", id="perplexity"),
        pytest.param(
            account("azure", "https://r.openai.azure.com"),
            "https://r.openai.azure.com/openai/v1/models",
            id="azure: v1",
        ),
        pytest.param(
            account("azure", "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21"),
            "https://r.openai.azure.com/openai/models?api-version=2024-10-21",
            id="azure: deployments",
        ),
        pytest.param(account("openai", probe="../health"), "https://api.openai.com/health", id="as its row says"),
    ],
)
def test_address(of: Account, url: str) -> None:
    request = asked(of)
    assert request is not None
    assert (request.method, request.url, request.body) == ("GET", url, b"")


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(account("azure", "https://r.services.ai.azure.com/models"), id="azure: models"),
        pytest.param(account("openai", probe=""), id="a row that says there is none"),
    ],
)
def test_where_there_is_no_such_question_none_is_asked(of: Account) -> None:
    assert asked(of) is None


def test_the_key_goes_as_with_a_call_and_nothing_of_a_call_with_it() -> None:
    headers = {
        name: request.headers for name in ("openai", "anthropic", "replicate") if (request := asked(account(name)))
    }
    assert headers["openai"]["authorization"] == f"Bearer {SECRET}"
    assert headers["anthropic"]["x-api-key"] == SECRET
    assert "anthropic-version" in headers["anthropic"]
    assert not {"content-type", "prefer", "cancel-after"} & headers["replicate"].keys()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param({"data": [{"id": "a"}, {"id": "b"}]}, ("a", "b"), id="openai"),
        pytest.param({"models": [{"name": "models/g"}]}, ("g",), id="gemini"),
        pytest.param({"models": [{"name": "llama3.2:latest", "model": "x"}]}, ("llama3.2:latest",), id="ollama"),
        pytest.param([{"id": "t"}], ("t",), id="together: a bare list"),
        pytest.param({"username": "me"}, (), id="an account"),
        pytest.param({"data": [1, {"id": 2}, {"id": ""}]}, (), id="rubbish"),
    ],
)
def test_models_that_an_answer_lists(body: object, names: tuple[str, ...]) -> None:
    assert probe.models_in(HttpResponse(200, {}, orjson.dumps(body))) == names


def test_an_answer_that_is_no_json_lists_none() -> None:
    assert probe.models_in(HttpResponse(200, {}, b"<html>")) == ()


@pytest.mark.parametrize(
    ("status", "alive", "accepted", "error_type"),
    [
        pytest.param(200, True, True, "", id="200"),
        pytest.param(401, True, False, "key_rejected", id="401: there, and refuses the key"),
        pytest.param(403, True, False, "key_rejected", id="403"),
        pytest.param(404, True, False, "", id="404: there, lists nothing"),
        pytest.param(429, True, False, "rate_limited", id="429: there, and busy"),
        pytest.param(408, False, False, "server_error", id="408"),
        pytest.param(503, False, False, "server_error", id="503"),
    ],
)
def test_what_an_answer_means(status: int, alive: bool, accepted: bool, error_type: str) -> None:
    verdict = probe.judged(HttpResponse(status, {}, b"{}"), registry.wire("openai"))
    assert (verdict.alive, verdict.accepted, verdict.error_type) == (alive, accepted, error_type)


def test_an_operators_headers_go_along() -> None:
    request = asked(replace(account("openai"), options={"headers": {"X-Org": "me"}}))
    assert request is not None
    assert request.headers["x-org"] == "me"

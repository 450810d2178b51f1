"""What error answers mean: one row a case, named after who answers so."""

from typing import Any

import pytest

from sidecar.core.call import Operation
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from sidecar.providers.registry import wire
from tests.support.providers import answer


def fault(status: int, body: Any, **headers: str) -> Fault:
    return wire("openai")[Operation.CHAT].fault(answer(body, status, **headers))


def error(message: str = "x", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(400, error(type="invalid_request_error"), BadRequest, id="400"),
        pytest.param(400, error(code="context_length_exceeded"), ContextTooLong, id="openai-context"),
        pytest.param(
            400,
            error("This endpoint's maximum context length is 200000 tokens.", code=400),
            ContextTooLong,
            id="openrouter-context",
        ),
        pytest.param(
            400, error("prompt too long; exceeded max context length by 9 tokens"), ContextTooLong, id="ollama-context"
        ),
        pytest.param(
            400,
            {"object": "error", "message": "This model's maximum context length is 2048 tokens.", "code": 400},
            ContextTooLong,
            id="vllm-context",
        ),
        pytest.param(
            400,
            error("the request exceeds the available context size", type="exceed_context_size_error"),
            ContextTooLong,
            id="llamacpp-context",
        ),
        pytest.param(400, error("This model's maximum prompt length is 8 but …"), ContextTooLong, id="xai-context"),
        pytest.param(
            400, error("Your request exceeded model token limit: 8192"), ContextTooLong, id="moonshot-context"
        ),
        pytest.param(413, error("too large"), BadRequest, id="413"),
        pytest.param(422, {"detail": [{"loc": ["body"], "msg": "extra"}]}, BadRequest, id="fastapi-422"),
        pytest.param(400, error(code="content_filter"), ContentFiltered, id="azure-filter"),
        pytest.param(400, error(code="content_policy_violation"), ContentFiltered, id="openai-policy"),
        pytest.param(400, error("Content Exists Risk"), ContentFiltered, id="deepseek-filter"),
        pytest.param(400, error(code="1301"), ContentFiltered, id="zhipu-filter"),
        pytest.param(
            403,
            error(code=403, metadata={"reasons": ["x"], "flagged_input": "…"}),
            ContentFiltered,
            id="openrouter-moderation",
        ),
        pytest.param(401, error(code="invalid_api_key", type="invalid_request_error"), KeyRejected, id="401"),
        pytest.param(401, {"message": "Unauthorized"}, KeyRejected, id="mistral-401"),
        pytest.param(403, error(), KeyRejected, id="403"),
        pytest.param(404, error(code="model_not_found"), ModelNotFound, id="404-model"),
        pytest.param(404, b"<html>nginx</html>", ModelNotFound, id="404-page"),
        pytest.param(400, error("x/y is not a valid model ID", code=400), ModelNotFound, id="openrouter-model"),
        pytest.param(
            400,
            {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
            ModelNotFound,
            id="mistral-model",
        ),
        pytest.param(400, error("Model Not Exist"), ModelNotFound, id="deepseek-model"),
        pytest.param(402, error("Insufficient Balance"), RateLimited, id="deepseek-402"),
        pytest.param(429, error(code="rate_limit_exceeded"), RateLimited, id="429"),
        pytest.param(429, error(code="insufficient_quota"), RateLimited, id="no-quota"),
        pytest.param(429, error("maximum context length"), RateLimited, id="429-whatever-it-says"),
        pytest.param(498, error("flex tier capacity"), RateLimited, id="groq-498"),
        pytest.param(408, error(), ServerError, id="408"),
        pytest.param(500, error(type="server_error"), ServerError, id="500"),
        pytest.param(502, b"<html>bad gateway</html>", ServerError, id="502-page"),
        pytest.param(503, {}, ServerError, id="503-empty"),
        pytest.param(529, error(), ServerError, id="529"),
        pytest.param(599, error("model_not_found"), ServerError, id="any-5xx"),
        pytest.param(307, b"", ServerError, id="redirect-not-followed"),
        pytest.param(409, error(), BadRequest, id="any-4xx"),
        pytest.param(
            400, [{"error": {"code": 400, "message": "API key not valid"}}], BadRequest, id="gemini-list-of-one"
        ),
        pytest.param(400, "text", BadRequest, id="json-text"),
        pytest.param(400, {"error": "model requires more memory"}, BadRequest, id="error-as-text"),
    ],
)
def test_what_an_error_answer_means(status: int, body: Any, expected: type[Fault]) -> None:
    found = fault(status, body)
    assert (type(found), found.http_status) == (expected, status)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(error("Say less."), "Say less.", id="openai"),
        pytest.param({"message": "No."}, "No.", id="at-the-top"),
        pytest.param({"error": "out of memory"}, "out of memory", id="text"),
        pytest.param({"detail": [{"msg": "extra"}]}, '[{"msg":"extra"}]', id="fastapi"),
        pytest.param(b"upstream gone", "upstream gone", id="plain"),
        pytest.param(b"", "HTTP 400", id="nothing"),
        pytest.param(error("é" * 3000), "é" * 1024, id="bounded-at-2-KiB"),
    ],
)
def test_the_providers_words_are_kept(body: Any, expected: str) -> None:
    assert fault(400, body).message == expected


def test_a_page_for_browsers_is_not_a_message() -> None:
    assert fault(502, b"<html>", content_type="text/html; charset=utf-8").message == "HTTP 502"


def test_headers_and_code_travel_with_the_fault() -> None:
    found = fault(429, error(code="rate_limit_exceeded"), retry_after="3", x_request_id="req_9")
    assert (found.retry_after_s, found.provider_request_id, found.provider_code) == (3, "req_9", "rate_limit_exceeded")

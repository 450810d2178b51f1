"""What an error on the Anthropic wire means for the next attempt."""

from __future__ import annotations

from typing import Any

import pytest

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
from sidecar.providers.anthropic_fault import fault_of_error
from tests.support.anthropic import codec
from tests.support.providers import answer

param = pytest.param


def error(kind: str, message: str = "words") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        param(400, error(INVALID), BadRequest, id="invalid"),
        param(400, error(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong, id="too-long"),
        param(400, error(INVALID, "input length and `max_tokens` exceed context limit: 1 + 2 > 2"), ContextTooLong,
              id="too-long-with-max-tokens"),
        param(400, error(INVALID, "Output blocked by content filtering policy"), ContentFiltered, id="filtered"),
        param(400, error(INVALID, "Your credit balance is too low"), RateLimited, id="out-of-credit"),
        param(400, error(INVALID, "You have reached your specified API usage limits."), RateLimited, id="own-limit"),
        param(401, error("authentication_error", "invalid x-api-key"), KeyRejected, id="key"),
        param(402, error("billing_error"), RateLimited, id="billing"),
        param(403, error("permission_error"), KeyRejected, id="permission"),
        param(404, error("not_found_error", "model: claude-x"), ModelNotFound, id="model"),
        param(413, error("request_too_large"), BadRequest, id="too-large"),
        param(429, error("rate_limit_error"), RateLimited, id="rate-limit"),
        param(500, error("api_error"), ServerError, id="api-error"),
        param(504, error("timeout_error"), ServerError, id="timeout"),
        param(529, error("overloaded_error"), ServerError, id="overloaded"),
        param(409, error("conflict_error"), BadRequest, id="another-4xx"),
        param(418, {"detail": "no"}, BadRequest, id="another-servers-words"),
        param(408, b"", ServerError, id="too-slow-for-a-proxy"),
        param(302, b"", ServerError, id="redirect"),
        param(400, {"error": {"code": 400, "message": "m", "type": "exceed_context_size_error"}}, ContextTooLong,
              id="llama.cpp-context"),
        param(404, b"not here", ModelNotFound, id="text"),
        param(502, b"<html>", ServerError, id="a-page"),
    ],
)  # fmt: skip
def test_an_answer(status: int, body: Any, expected: type[Fault]) -> None:
    fault = codec().fault(answer(body, status))
    assert (type(fault), fault.http_status) == (expected, status)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        param("overloaded_error", ServerError, id="overloaded"),
        param("api_error", ServerError, id="api-error"),
        param("rate_limit_error", RateLimited, id="rate-limit"),
        param("invalid_request_error", BadRequest, id="invalid"),
        param("not_found_error", ModelNotFound, id="not-found"),
        param("a_new_error", ServerError, id="one-to-come"),
    ],
)
def test_an_event(kind: str, expected: type[Fault]) -> None:
    fault = fault_of_error(error(kind), 0)
    assert (type(fault), fault.message, fault.provider_code) == (expected, "words", kind)


def test_what_else_an_error_tells() -> None:
    fault = codec().fault(answer(error("rate_limit_error"), 429, retry_after="7", request_id="req_1"))
    assert (fault.retry_after_s, fault.provider_request_id, fault.provider_code) == (7, "req_1", "rate_limit_error")


def test_an_error_without_words_names_its_status() -> None:
    assert codec().fault(answer(b"", 500)).message == "HTTP 500"


def test_long_words_are_cut() -> None:
    assert codec().fault(answer(error(INVALID, "é" * 9000), 400)).message == "é" * 1024

"""What every vendor's errors mean for the next attempt (contracts: routing and failover), and what hostile ones do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Operation
from sidecar.core.faults import (
    MESSAGE_BYTES,
    BadRequest,
    ContentFiltered,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from sidecar.providers.http import duration_s, retry_after_s
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpResponse
from taximeter.v1 import payload_pb2 as pb
from tests.support.hostile_wires import Told, converse, json_of
from tests.support.providers import account
from tests.support.spoiling import SPOILT, paths, spoil, spoilt
from tests.support.told_natives import NATIVES
from tests.support.told_openai import OPENAI

TOLD = (*OPENAI, *NATIVES)
errors = pytest.mark.parametrize("told", TOLD, ids=str)

STATUSES: Mapping[int, type[Fault]] = {
    400: BadRequest,
    401: KeyRejected,
    402: RateLimited,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    409: BadRequest,
    413: BadRequest,
    422: BadRequest,
    429: RateLimited,
    498: BadRequest,
    **dict.fromkeys((500, 502, 503, 504, 529), ServerError),
}
OTHERWISE: Mapping[tuple[str, int], type[Fault]] = {
    ("cohere", 498): ContentFiltered,  # docs.cohere.com/reference/errors: a deny-listed token
    ("openai", 498): RateLimited,  # console.groq.com/docs/errors: flex tier at capacity
    ("azure", 498): RateLimited,
}
_CLAUDE = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OPENAI = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    402: ("insufficient_quota", "402"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
}
_AZURE = {401: "401", 404: "DeploymentNotFound", 429: "429", 500: "InternalServerError"}
_AWS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def body_of(name: str, status: int) -> Any:
    """As the vendor documents it, without words that would say more."""
    kind, code = _OPENAI.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    claude = {"type": _CLAUDE.get(status, "other_error"), "message": "words"}
    return {
        "anthropic": {"type": "error", "error": claude},
        "openai": {"error": {"message": "words", "type": kind, "param": None, "code": code}},
        "azure": {"error": {"code": _AZURE.get(status, str(status)), "message": "words"}},
        "cohere": {"message": "words", "id": "r"},
        "ollama": {"error": "words"},
        "bedrock": {"message": "words"},
        "replicate": {"title": "Words", "detail": "words", "status": status},
    }[name]


def fault(name: str, status: int, body: Any, **headers: str) -> Fault:
    told = {each.replace("_", "-"): value for each, value in headers.items()}
    return wire(name)[Operation.CHAT].fault(HttpResponse(status, told, json_of(body)))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", ["anthropic", "azure", "bedrock", "cohere", "ollama", "openai", "replicate"])
def test_status_in_the_vendors_words(name: str, status: int) -> None:
    kind = {"x_amzn_errortype": f"{_AWS[status]}:http://internal/"} if name == "bedrock" and status in _AWS else {}
    found = fault(name, status, body_of(name, status), **kind)
    assert type(found) is OTHERWISE.get((name, status), STATUSES[status])
    assert (found.http_status, found.message) == (status, "words")


@pytest.mark.parametrize("name", ["anthropic", "azure", "bedrock", "cohere", "ollama", "openai", "replicate"])
def test_server_error_is_no_bad_request_whatever_its_words_say(name: str) -> None:
    """An error page before the vendor may wrap any words."""
    told = fault(name, 503, body_of(name, 400), x_amzn_errortype="ValidationException")
    assert type(told) is ServerError


NOW = "Wed, 21 Oct 2026 07:28:00 GMT"
_YEAR_S = 366 * 86400.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after": "7"}, 7, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="part-of-a-second"),
        pytest.param({"retry-after": "0"}, 0, id="zero"),
        pytest.param({"retry-after-ms": "250", "retry-after": "9"}, 0.25, id="milliseconds-first"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:28:07 GMT", "date": NOW}, 7, id="date"),
        pytest.param({"retry-after": "Wed Oct 21 07:28:07 2026", "date": NOW}, 7, id="asctime-is-utc"),
        pytest.param({"retry-after": "Wednesday, 21-Oct-26 07:28:07 GMT", "date": NOW}, 7, id="rfc-850"),
        pytest.param({"retry-after": "2026-10-21T07:28:07Z", "date": NOW}, 7, id="rfc-3339"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": NOW}, 0, id="date-gone-by"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:28:07 GMT"}, None, id="date-since-when"),
        pytest.param({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": NOW}, _YEAR_S, id="date-far-away"),
        pytest.param({"retry-after": "-5"}, 0, id="negative"),
        pytest.param({"retry-after": "1e300"}, _YEAR_S, id="huge"),
        pytest.param({"retry-after-ms": "1e300"}, _YEAR_S, id="huge-milliseconds"),
        pytest.param({"retry-after": "1e400"}, None, id="infinite"),
        pytest.param({"retry-after": "inf"}, None, id="inf"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "9" * 10_000_000}, None, id="ten-megabytes"),
        pytest.param({"retry-after": "1s" * 5_000_000, "date": "x" * 10_000_000}, None, id="ten-megabytes-of-words"),
        pytest.param(
            {"retry-after": "soon", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"},
            62,
            id="reset-where-the-rest-is-garbage",
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s" * 5_000_000},
            None,
            id="ten-megabytes-of-resets",
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9e99h"}, None, id="reset-in-no-form"
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 40 + "h"}, _YEAR_S, id="reset-far"
        ),
    ],
)  # fmt: skip
def test_how_long_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_a_wait_of_a_year_at_most_or_none(text: str, date: str) -> None:
    wait_s, length_s = retry_after_s({"retry-after": text, "date": date}), duration_s(text)
    assert wait_s is None or 0 <= wait_s <= _YEAR_S
    assert length_s is None or 0 <= length_s < math.inf


@pytest.mark.parametrize("told", [402, "7", 1e300, -1, True, [1]], ids=str)
def test_wait_told_in_a_body_is_bounded(told: object) -> None:
    found = fault("replicate", 429, {"detail": "slow down", "retry_after": told})
    assert found.retry_after_s is None or 0 <= found.retry_after_s <= _YEAR_S


def bounded(found: Fault) -> None:
    assert isinstance(found, Fault)
    assert len(found.message.encode()) <= MESSAGE_BYTES
    assert len(found.provider_code) <= 64
    assert len(found.provider_request_id) <= 200


@pytest.mark.parametrize("status", [0, 302, 400, 403, 404, 429, 500])
@errors
def test_each_field_of_an_error_spoilt(told: Told, status: int) -> None:
    for path in paths(told.error):
        for by in (*SPOILT, "long " * 2000):
            bounded(told.codec.fault(HttpResponse(status, {}, json_of(spoil(told.error, path, by)))))
    for by in (*SPOILT[1:], "long " * 2000, [told.error], {"error": "words"}):
        bounded(told.codec.fault(HttpResponse(status, {}, json_of(by))))


_NAMES = ("retry-after", "retry-after-ms", "date", "content-type", "x-request-id", "x-amzn-errortype", "cf-ray")
_HEADERS = st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=300))


@errors
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_error_of_any_bytes_under_any_headers(told: Told, data: st.DataObject) -> None:
    spoiled = spoilt([told.error]).map(lambda bodies: json_of(bodies[0]) if bodies else b"")
    body = data.draw(st.one_of(st.binary(max_size=60), spoiled))
    bounded(told.codec.fault(HttpResponse(data.draw(st.integers(300, 599)), data.draw(_HEADERS), body)))


LONG = "long " * 2000


@pytest.mark.parametrize("told", [it for it in TOLD if it.answers], ids=str)
def test_words_of_a_fault_within_a_stream_are_bounded(told: Told) -> None:
    for number, (frame, events) in enumerate(told.answers):
        for at, event in enumerate(events):
            for path in paths(event):
                changed = [*events[:at], spoil(event, path, LONG), *events[at + 1 :]]
                try:
                    converse(told, [*told.data[:number], frame(changed), *told.data[number + 1 :]])
                except Fault as found:
                    bounded(found)


SECRETS = {"bedrock": "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
URLS = {"bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com"}
PAYLOADS = {
    Operation.CHAT: pb.ChatRequest(prompt="canary"),
    Operation.COMPLETION: pb.CompletionRequest(prompt="canary"),
    Operation.EMBEDDING: pb.EmbeddingRequest(inputs=["canary"]),
    Operation.MODERATION: pb.ModerationRequest(inputs=["canary"]),
}
TYPES = {
    "azure": "azure",
    "azure-responses": "azure",
    "openai-responses": "openai",
    "perplexity-responses": "perplexity",
}


@errors
def test_key_goes_into_a_header_and_nowhere_else(told: Told) -> None:
    secret = SECRETS.get(told.wire, "sk-secret-0123456789")
    target = account(TYPES.get(told.wire, told.wire), base_url=URLS.get(told.wire, "https://api.test"))
    request = told.codec.encode(PAYLOADS[told.operation], "m-1", False, target, secret)
    for piece in secret.split(":")[-1:]:
        assert piece not in request.url + repr(request)
        assert piece.encode() not in request.body
    assert "canary" not in repr(request)

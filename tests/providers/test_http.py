"""What headers and addresses say."""

import pytest

from sidecar.providers.http import duration_s, provider_request_id, retry_after_s, server_of

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LATER = "Wed, 21 Oct 2026 07:28:05 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="silent"),
        pytest.param({"retry-after": "7"}, 7, id="seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="fraction"),
        pytest.param({"retry-after": "0"}, 0, id="zero-is-a-value"),
        pytest.param({"retry-after": "-3"}, 0, id="negative-is-now"),
        pytest.param({"retry-after-ms": "250", "retry-after": "1"}, 0.25, id="milliseconds-first"),
        pytest.param({"retry-after": LATER, "date": DATE}, 5, id="date-from-the-answers-own-date"),
        pytest.param({"retry-after": DATE, "date": LATER}, 0, id="date-gone-by"),
        pytest.param({"retry-after": LATER}, None, id="date-without-any-clock"),
        pytest.param({"retry-after": "soon"}, None, id="nonsense"),
        pytest.param({"retry-after": "nan"}, None, id="not-a-number"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param(
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8.64s"}, 8.64, id="requests-used-up"
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "6m0s"}, None, id="limit-not-used-up"
        ),
        pytest.param(
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2m59.56s",
            },
            179.56,
            id="both-used-up-the-later",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-remaining": "12",
                "anthropic-ratelimit-requests-reset": "2026-10-21T07:29:00Z",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-10-21T07:28:04Z",
                "date": DATE,
            },
            4,
            id="a-limit-that-resets-at-a-time",
        ),
        pytest.param(
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon", "date": DATE},
            None,
            id="a-reset-that-is-no-time",
        ),
        pytest.param({"anthropic-ratelimit-tokens-remaining": "0"}, None, id="a-reset-that-is-missing"),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == (expected if expected is None else pytest.approx(expected))


def test_retry_after_counts_a_date_from_now_where_the_answer_has_none() -> None:
    assert retry_after_s({"retry-after": LATER}, now=1792567680.0) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("6ms", 0.006, id="ms"),
        pytest.param("1m30.5s", 90.5, id="minutes-and-seconds"),
        pytest.param("2h", 7200, id="hours"),
        pytest.param("12", 12, id="bare"),
        pytest.param("", None, id="empty"),
        pytest.param("5x", None, id="unknown-unit"),
        pytest.param("s", None, id="unit-alone"),
        pytest.param("1.2.3s", None, id="not-a-number"),
    ],
)
def test_durations(text: str, expected: float | None) -> None:
    assert duration_s(text) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://api.openai.com/v1/chat/completions", ("api.openai.com", 443), id="https"),
        pytest.param("http://localhost:11434/v1", ("localhost", 11434), id="port"),
        pytest.param("http://[::1]:8080/v1", ("::1", 8080), id="ipv6"),
        pytest.param("http://host", ("host", 80), id="no-path"),
        pytest.param("nonsense", ("", 0), id="no-host"),
        pytest.param("http://host:port/", ("", 0), id="bad-port"),
    ],
)
def test_server_of(url: str, expected: tuple[str, int]) -> None:
    assert server_of(url) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-request-id": "req_1", "cf-ray": "9"}, "req_1", id="openai"),
        pytest.param({"mistral-correlation-id": "m-1"}, "m-1", id="mistral"),
        pytest.param({"x-request-id": "x" * 500}, "x" * 200, id="bounded"),
        pytest.param({}, "", id="none"),
    ],
)
def test_provider_request_id(headers: dict[str, str], expected: str) -> None:
    assert provider_request_id(headers) == expected

"""`traceparent` is believed only as the W3C standard writes it."""

import pytest

from sidecar.core.call import Trace
from sidecar.edge.trace import parse, trace_of

T = "0af7651916cd43dd8448eb211c80319c"
S = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(f"00-{T}-{S}-01", Trace(T, S, sampled=True), id="sampled"),
        pytest.param(f"00-{T}-{S}-00", Trace(T, S, sampled=False), id="unsampled"),
        pytest.param(f"00-{T}-{S}-03", Trace(T, S, sampled=True), id="other-flags-are-ignored"),
        pytest.param(f"cc-{T}-{S}-01", Trace(T, S, sampled=True), id="a-later-version"),
        pytest.param(f"cc-{T}-{S}-01-more", Trace(T, S, sampled=True), id="a-later-version-with-more"),
        pytest.param(f"00-{T}-{S}-01-more", None, id="version-00-with-more"),
        pytest.param(f"cc-{T}-{S}-01.more", None, id="more-without-a-dash"),
        pytest.param(f"ff-{T}-{S}-01", None, id="forbidden-version"),
        pytest.param(f"00-{T.upper()}-{S}-01", None, id="upper-case"),
        pytest.param(f"00-{'0' * 32}-{S}-01", None, id="zero-trace-id"),
        pytest.param(f"00-{T}-{'0' * 16}-01", None, id="zero-span-id"),
        pytest.param(f"00-{T[1:]}-{S}-01", None, id="short"),
        pytest.param(f" 00-{T}-{S}-01", None, id="leading-space"),
        pytest.param(f"00-{T}-{S}-01\n", None, id="trailing-newline"),
        pytest.param(f"00-{T}-{S}-\u0660\u0661", None, id="foreign-digits"),
        pytest.param("", None, id="empty"),
    ],
)
def test_parse(header: str, expected: Trace | None) -> None:
    assert parse(header) == expected


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param(["nonsense"], id="bad"),
        pytest.param([f"00-{T}-{S}-01", f"00-{T}-{S}-01"], id="twice"),
    ],
)
def test_a_call_without_one_valid_header_begins_a_trace(headers: list[str]) -> None:
    assert trace_of(headers, lambda: "ab" * 16) == Trace("ab" * 16, "", sampled=True)

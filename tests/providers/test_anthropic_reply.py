"""Whole answers on the Anthropic wire."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered, Fault, Garbled, ServerError
from sidecar.providers.wire import Reply
from taximeter.v1 import payload_pb2 as pb
from tests.support.anthropic import codec
from tests.support.providers import answer

param = pytest.param
USAGE = {"input_tokens": 3, "output_tokens": 2}
NONE_CACHED = {"cache_read": 0, "cache_write": 0}
TEXT = {"type": "text", "text": "Hi"}
CITED = {**TEXT, "citations": [{"type": "web_search_result_location", "url": "https://x"}]}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": [1, "é"]}}


def body(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": list(content),
        "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE, **more,
    }  # fmt: skip


def decode(given: Any) -> Reply:
    reply = codec().decode(answer(given))
    assert isinstance(reply, Reply)
    return reply


def message(*content: dict[str, Any]) -> pb.ChatMessage:
    found: pb.ChatMessage = decode(body(*content)).payload.choices[0].message
    return found


def metadata(given: dict[str, Any]) -> dict[str, Any]:
    return json_format.MessageToDict(decode(given).payload.provider_metadata)


def test_a_plain_answer() -> None:
    reply = decode(body(TEXT))
    assert reply.payload == pb.ChatResponse(
        id="msg_1",
        model="m-1",
        choices=[
            pb.ChatChoice(message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hi"), finish_reason="end_turn"),
        ],
    )
    assert reply.usage == Usage(input=3, output=2, **NONE_CACHED)
    assert (reply.model, reply.response_id, reply.finish_reasons) == ("m-1", "msg_1", ("end_turn",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        param([TEXT, TEXT], {"text": "HiHi"}, id="texts-are-one"),
        param([], {}, id="nothing-said"),
        param(
            [CALL],
            {"toolCalls": [{"id": "toolu_1", "name": "f", "arguments": '{"x":[1,"é"]}'}]},
            id="a-tool-call-as-json-text",
        ),
        param(
            [{**CALL, "input": {}}], {"toolCalls": [{"id": "toolu_1", "name": "f", "arguments": "{}"}]},
            id="a-tool-call-without-arguments",
        ),
        param(
            [{**CALL, "input": '{"x": 1}'}], {"toolCalls": [{"id": "toolu_1", "name": "f", "arguments": '{"x": 1}'}]},
            id="arguments-sent-as-text",
        ),
        param(
            [{"type": "thinking", "thinking": "hm", "signature": "s"}, TEXT],
            {"reasoning": "hm", "reasoningBlocks": [{"text": "hm", "signature": "s"}], "text": "Hi"},
            id="reasoning-and-its-signature",
        ),
        param(
            [{"type": "thinking", "thinking": "", "signature": "s"}, TEXT],
            {"reasoningBlocks": [{"signature": "s"}], "text": "Hi"},
            id="reasoning-that-is-not-shown",
        ),
        param(
            [{"type": "redacted_thinking", "data": "d"}, TEXT],
            {"reasoningBlocks": [{"redacted": "d"}], "text": "Hi"},
            id="redacted-reasoning",
        ),
        param([SEARCH, TEXT], {"text": "Hi"}, id="a-server-tool-is-no-call-of-ours"),
    ],
)  # fmt: skip
def test_what_it_said(content: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert json_format.MessageToDict(message(*content)) == {"role": "ROLE_ASSISTANT", **expected}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        param(body(TEXT), {}, id="nothing-more"),
        param(body(TEXT, stop_sequence="END"), {"stop_sequence": "END"}, id="the-stop-sequence"),
        param(body(TEXT, container={"id": "c"}), {"container": {"id": "c"}}, id="fields-of-its-own"),
        param(body(CITED), {"content": [CITED]}, id="citations"),
        param(body(SEARCH, TEXT), {"content": [SEARCH, TEXT]}, id="the-whole-content-with-server-tools"),
        param(
            body(TEXT, usage={**USAGE, "service_tier": "standard", "server_tool_use": {"web_search_requests": 1}}),
            {"usage": {"service_tier": "standard", "server_tool_use": {"web_search_requests": 1}}},
            id="usage-that-we-do-not-meter",
        ),
    ],
)
def test_what_it_says_beyond_our_fields(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert metadata(given) == expected


@pytest.mark.parametrize("reason", ["max_tokens", "pause_turn", "model_context_window_exceeded", "refusal", "new"])
def test_the_stop_reason_as_the_provider_wrote_it(reason: str) -> None:
    assert decode(body(TEXT, stop_reason=reason)).finish_reasons == (reason,)


@pytest.mark.parametrize(
    ("details", "words", "code"),
    [
        param(None, "the provider's safety classifier withheld the answer", "", id="without-a-word"),
        param({"type": "refusal", "category": "bio", "explanation": "No."}, "No.", "bio", id="explained"),
    ],
)
def test_a_refusal_without_an_answer_is_filtered_and_billed(details: Any, words: str, code: str) -> None:
    with pytest.raises(ContentFiltered, match=words) as found:
        decode(body(stop_reason="refusal", stop_details=details))
    assert (found.value.usage, found.value.provider_code) == (Usage(input=3, output=2, **NONE_CACHED), code)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        param(b"<html>", Garbled, id="not-json"),
        param([], Garbled, id="not-an-object"),
        param({"id": "msg_1"}, Garbled, id="no-content"),
        param({"content": "Hi"}, Garbled, id="content-that-is-no-list"),
        param({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, ServerError, id="an-error"),
        param({"error": {"message": "busy"}}, ServerError, id="another-servers-error"),
    ],
)
def test_what_is_no_answer(given: Any, kind: type[Fault]) -> None:
    with pytest.raises(kind):
        decode(given)

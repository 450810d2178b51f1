"""Whole answers of Gemini, and what is used."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Usage
from sidecar.core.faults import BadRequest, ContentFiltered, Fault, Garbled, RateLimited
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reply
from tests.support.gemini import USAGE, called, codec, parts
from tests.support.providers import answer

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def decode(body: Any) -> Reply:
    reply = codec().decode(answer(body))
    assert isinstance(reply, Reply)
    return reply


def message(body: Any) -> Any:
    return decode(body).payload.choices[0].message


def test_an_answer() -> None:
    reply = decode(parts("Hel", "lo", finish="STOP", usage=USAGE))
    (choice,) = reply.payload.choices
    assert (choice.message.text, choice.finish_reason) == ("Hello", "STOP")
    assert (reply.model, reply.response_id, reply.finish_reasons) == ("gemini-m", "r-1", ("STOP",))
    assert reply.usage == Usage(input=7, output=5)
    assert not reply.payload.HasField("provider_metadata")


def test_thoughts_are_reasoning_and_no_text() -> None:
    found = message(parts({"text": "hm", "thought": True}, "so", finish="STOP"))
    assert (found.text, found.reasoning, list(found.reasoning_blocks)) == ("so", "hm", [])


@pytest.mark.parametrize(
    ("part", "block"),
    [
        pytest.param({"text": "so", "thoughtSignature": "s"}, ("gemini:text", "", "s"), id="on text"),
        pytest.param({"text": "", "thoughtSignature": "s"}, ("gemini:end", "", "s"), id="on an empty text"),
        pytest.param({"thoughtSignature": "s"}, ("gemini:end", "", "s"), id="alone"),
        pytest.param(
            {"text": "hm", "thought": True, "thoughtSignature": "s"}, ("gemini:thought", "hm", "s"), id="on a thought"
        ),
    ],
)
def test_signatures_are_kept(part: dict[str, Any], block: tuple[str, str, str]) -> None:
    (found,) = message(parts(part, finish="STOP")).reasoning_blocks
    assert (found.id, found.text, found.signature) == block


def test_calls() -> None:
    found = message(parts(called("f", "s", id="c1", args={"a": 1}), called("g"), finish="STOP")).tool_calls
    assert [(each.id, each.name, each.arguments, each.signature) for each in found] == [
        ("c1", "f", '{"a":1}', "s"),
        ("call_r-1_1", "g", "{}", ""),
    ]


def test_calls_without_ids_differ_where_the_answer_has_none_either() -> None:
    bare = {"candidates": parts(called(), finish="STOP")["candidates"]}
    assert message(bare).tool_calls[0].id != message(bare).tool_calls[0].id


def test_several_candidates() -> None:
    body = parts("a", finish="STOP")
    body["candidates"] += parts("b", finish="MAX_TOKENS", index=1)["candidates"]
    reply = decode(body)
    assert [choice.message.text for choice in reply.payload.choices] == ["a", "b"]
    assert reply.finish_reasons == ("STOP", "MAX_TOKENS")


def test_what_has_no_field_is_in_the_metadata() -> None:
    sources = {"groundingMetadata": {"webSearchQueries": ["q"]}, "logprobsResult": {"x": 1}}
    usage = {**USAGE, "trafficType": "ON_DEMAND"}
    body = parts("see", PICTURE, finish="STOP", usage=usage, candidate=sources, createTime="t")
    payload = decode(body).payload
    assert to_plain(payload.provider_metadata) == {
        "createTime": "t",
        "usage": {"trafficType": "ON_DEMAND"},
        "choices": [{"groundingMetadata": {"webSearchQueries": ["q"]}, "parts": [PICTURE]}],
    }
    assert to_plain(payload.choices[0].logprobs) == {"x": 1}


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        pytest.param({"promptFeedback": {"blockReason": "SAFETY"}}, ContentFiltered, "SAFETY", id="prompt"),
        pytest.param(parts(finish="SAFETY"), ContentFiltered, "SAFETY", id="safety"),
        pytest.param(parts(finish="RECITATION"), ContentFiltered, "RECITATION", id="recitation"),
        pytest.param(parts(finish="PROHIBITED_CONTENT"), ContentFiltered, "PROHIBITED_CONTENT", id="prohibited"),
        pytest.param(
            parts({"text": "hm", "thought": True}, finish="SAFETY"), ContentFiltered, "SAFETY", id="thoughts only"
        ),
        pytest.param(parts(finish="MALFORMED_FUNCTION_CALL"), Garbled, "MALFORMED_FUNCTION_CALL", id="a bad call"),
        pytest.param(parts(finish="MISSING_THOUGHT_SIGNATURE"), BadRequest, "MISSING_THOUGHT_SIGNATURE", id="unsigned"),
        pytest.param({"candidates": []}, Garbled, "", id="no candidates"),
    ],
)
def test_an_answer_that_is_none_is_billed_all_the_same(body: dict[str, Any], kind: type[Fault], code: str) -> None:
    usage = {"promptTokenCount": 7, "totalTokenCount": 7}
    with pytest.raises(kind) as raised:
        decode({**body, "usageMetadata": usage})
    assert (raised.value.provider_code, raised.value.http_status) == (code, 200)
    assert raised.value.usage is not None
    assert raised.value.usage.input == 7


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(parts("begun", finish="SAFETY"), id="text before the filter"),
        pytest.param(parts(PICTURE, finish="IMAGE_SAFETY"), id="a picture"),
        pytest.param(parts(finish="STOP"), id="nothing to say"),
        pytest.param(parts(finish="MAX_TOKENS"), id="all went into thoughts"),
    ],
)
def test_other_ends_are_answers(body: dict[str, Any]) -> None:
    assert decode(body).finish_reasons == (body["candidates"][0]["finishReason"],)


def test_a_stream_that_came_as_a_list_is_whole() -> None:
    reply = decode([parts("Hel", usage={"promptTokenCount": 7}), parts("lo", finish="STOP", usage=USAGE)])
    assert (reply.payload.choices[0].message.text, reply.usage) == ("Hello", Usage(input=7, output=5))


@pytest.mark.parametrize("body", [b"<html>", b"1", b"[]"])
def test_what_is_no_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        decode(body)


def test_an_error_under_a_good_status() -> None:
    with pytest.raises(RateLimited):
        decode({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
            Usage(input=9, cache_read=4, output=5, reasoning=3),
            id="cached within, thoughts beside",
        ),
        pytest.param(
            {"promptTokenCount": 9, "toolUsePromptTokenCount": 30, "candidatesTokenCount": 2},
            Usage(input=39, output=2),
            id="what its tools read is input",
        ),
        pytest.param(
            {"promptTokenCount": 9, "thoughtsTokenCount": 3, "totalTokenCount": 12},
            Usage(input=9, output=3, reasoning=3),
            id="thoughts alone",
        ),
        pytest.param({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(input=9, output=0), id="zero is left out"),
        pytest.param(
            {
                "promptTokenCount": 9,
                "candidatesTokenCount": 2,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": 8}],
                "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
            },
            Usage(input=9, output=2, audio_in=8, audio_out=2),
            id="audio",
        ),
        pytest.param({"candidatesTokenCount": 2}, None, id="without the prompt nothing can be billed"),
        pytest.param({"trafficType": "x"}, None, id="no counts"),
    ],
)
def test_usage(raw: dict[str, Any], expected: Usage | None) -> None:
    assert decode(parts("a", finish="STOP", usage=raw)).usage == expected

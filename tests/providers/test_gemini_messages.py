"""Conversations as Gemini has them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sidecar.core.call import Operation
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.registry import wire
from taximeter.v1 import payload_pb2 as pb
from tests.support.gemini import LEVELS, chat, contents, encode
from tests.support.providers import account, sent

DATA = base64.b64encode(b"bytes").decode()
SKIP = base64.b64encode(b"skip_thought_signature_validator").decode()
CALL = {"id": "c1", "name": "f", "arguments": '{"a": 1}'}
CALLS = {"role": "ROLE_ASSISTANT", "tool_calls": [CALL]}


def part_of(part: dict[str, Any], **changes: Any) -> Any:
    body = sent(encode({"messages": [{"role": "ROLE_USER", "parts": [part]}]}, **changes))
    return body["contents"][0]["parts"][0]


def model_parts(message: dict[str, Any], model: str = "gemini-2.5-flash") -> Any:
    return contents({"role": "ROLE_ASSISTANT", **message}, model=model)[0]["parts"]


def result(text: str = "", *, model: str = LEVELS, **fields: Any) -> Any:
    """The answer to `CALL`."""
    message = {"role": "ROLE_TOOL", "tool_call_id": "c1", "text": text, **fields}
    return contents(CALLS, message, model=model)[1]["parts"][0]["functionResponse"]


def test_the_systems_words_stand_beside_in_their_order() -> None:
    body = chat(
        messages=[
            {"role": "ROLE_SYSTEM", "text": "one"},
            {"role": "ROLE_USER", "text": "hi"},
            {"role": "ROLE_DEVELOPER", "text": "two"},
        ]
    )
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def inline(kind: str, data: str = DATA) -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": data}}


def fetched(uri: str, kind: str = "") -> dict[str, Any]:
    return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param({"image": {"data": DATA, "media_type": "image/png"}}, inline("image/png"), id="image"),
        pytest.param({"image": {"url": f"data:image/png;base64,{DATA}"}}, inline("image/png"), id="data-url"),
        pytest.param(
            {"image": {"url": "https://x.test/a.png"}}, fetched("https://x.test/a.png", "image/png"), id="url"
        ),
        pytest.param(
            {"image": {"url": "https://x.test/a", "media_type": "image/webp"}},
            fetched("https://x.test/a", "image/webp"),
            id="url-with-type",
        ),
        pytest.param({"image": {"url": "https://x.test/a"}}, fetched("https://x.test/a"), id="url-without-type"),
        pytest.param({"audio": {"data": DATA, "format": "mp3"}}, inline("audio/mp3"), id="audio"),
        pytest.param({"audio": {"data": DATA, "format": "pcm16"}}, inline("audio/pcm"), id="raw-audio"),
        pytest.param({"file": {"data": DATA, "media_type": "text/csv"}}, inline("text/csv"), id="file"),
        pytest.param({"file": {"data": DATA, "filename": "a.pdf"}}, inline("application/pdf"), id="file-by-name"),
        pytest.param(
            {"file": {"url": "gs://b/a.mp4", "media_type": "video/mp4"}}, fetched("gs://b/a.mp4", "video/mp4"), id="gs"
        ),
        pytest.param(
            {"file": {"file_id": "files/abc", "media_type": "video/mp4"}},
            fetched("https://generativelanguage.googleapis.com/v1beta/files/abc", "video/mp4"),
            id="uploaded",
        ),
        pytest.param({"file": {"file_id": "https://x.test/f"}}, fetched("https://x.test/f"), id="uploaded-address"),
    ],
)
def test_parts(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert part_of(part) == expected


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"image": {}}, id="image"),
        pytest.param({"image": {"data": DATA}}, id="image-without-type"),
        pytest.param({"image": {"url": "data:image/png,abc"}}, id="data-url-without-base64"),
        pytest.param({"file": {"data": DATA}}, id="file-without-type"),
    ],
)
def test_a_bad_part_is_a_bad_request(part: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        part_of(part)


def test_vertex_has_no_files_of_its_own() -> None:
    with pytest.raises(Unsupported):
        part_of({"file": {"file_id": "files/abc"}}, type_="vertexai")


def test_a_call_and_its_answer() -> None:
    found = contents(CALLS, {"role": "ROLE_TOOL", "tool_call_id": "c1", "text": '{"ok": true}'})
    assert found == [
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "f", "response": {"ok": True}, "id": "c1"}}],
        },
    ]


@pytest.mark.parametrize(
    ("text", "failed", "expected"),
    [
        pytest.param('{"a": [1]}', False, {"a": [1]}, id="an object as it is"),
        pytest.param("42", False, {"output": "42"}, id="text"),
        pytest.param("[1]", False, {"output": "[1]"}, id="a list is text"),
        pytest.param("no such file", True, {"error": "no such file"}, id="a failure"),
    ],
)
def test_what_a_tool_answers(text: str, failed: bool, expected: dict[str, Any]) -> None:
    assert result(text, tool_failed=failed)["response"] == expected


def test_answers_of_one_turn_stand_together() -> None:
    both = {"role": "ROLE_ASSISTANT", "tool_calls": [CALL, {**CALL, "id": "c2", "name": "g"}]}
    answers = [{"role": "ROLE_TOOL", "tool_call_id": each, "text": each} for each in ("c1", "c2")]
    found = contents(both, *answers, {"role": "ROLE_USER", "text": "and?"})
    assert [len(each["parts"]) for each in found] == [2, 2, 1]
    assert [each["functionResponse"]["name"] for each in found[1]["parts"]] == ["f", "g"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [pytest.param(["", ""], ["f", "g"], id="by place"), pytest.param(["g", "f"], ["g", "f"], id="by name")],
)
def test_answers_to_calls_without_ids(names: list[str], expected: list[str]) -> None:
    calls = [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": "{}"}]
    answers = [{"role": "ROLE_TOOL", "name": name, "text": "x"} for name in names]
    found = contents({"role": "ROLE_ASSISTANT", "tool_calls": calls}, *answers)
    assert [each["functionResponse"]["name"] for each in found[1]["parts"]] == expected


def test_an_answer_to_nothing_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        contents({"role": "ROLE_TOOL", "tool_call_id": "c9", "text": "x"})


def test_an_answer_may_hold_an_image_from_gemini_3_on() -> None:
    image = [{"image": {"data": DATA, "media_type": "image/png"}}]
    assert result("{}", parts=image)["parts"] == [inline("image/png")]
    with pytest.raises(Unsupported):
        result("{}", parts=image, model="gemini-2.5-flash")


def test_arguments_that_are_no_object_are_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        model_parts({"tool_calls": [{**CALL, "arguments": "[1]"}]})


@pytest.mark.parametrize(
    ("model", "signatures", "expected"),
    [
        pytest.param(LEVELS, ["s1", ""], ["s1", None], id="as it came"),
        pytest.param(LEVELS, ["", ""], [SKIP, None], id="another model's call"),
        pytest.param("gemini-2.5-flash", ["", ""], [None, None], id="where none is demanded"),
    ],
)
def test_signatures_of_calls(model: str, signatures: list[str], expected: list[str | None]) -> None:
    calls = [{**CALL, "id": f"c{n}", "signature": each} for n, each in enumerate(signatures)]
    assert [part.get("thoughtSignature") for part in model_parts({"tool_calls": calls}, model)] == expected


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        pytest.param(
            [{"id": "gemini:text", "signature": "s"}], [{"text": "said", "thoughtSignature": "s"}], id="of the text"
        ),
        pytest.param(
            [{"id": "gemini:end", "signature": "s"}],
            [{"text": "said"}, {"text": "", "thoughtSignature": "s"}],
            id="behind the text",
        ),
        pytest.param(
            [{"id": "gemini:thought", "text": "hm", "signature": "s"}],
            [{"text": "hm", "thought": True, "thoughtSignature": "s"}, {"text": "said"}],
            id="of a thought",
        ),
        pytest.param([{"text": "hm", "signature": "of-claude"}], [{"text": "said"}], id="another provider's"),
    ],
)
def test_signatures_go_back_where_they_came(blocks: list[dict[str, str]], expected: list[dict[str, Any]]) -> None:
    assert model_parts({"text": "said", "reasoning_blocks": blocks}) == expected


def test_a_refusal_is_text_and_empty_messages_are_left_out() -> None:
    assert model_parts({"refusal": "no"}) == [{"text": "no"}]
    assert contents({"role": "ROLE_ASSISTANT"}, {"role": "ROLE_USER", "text": "hi"}) == [
        {"role": "user", "parts": [{"text": "hi"}]}
    ]


@pytest.mark.parametrize(
    ("type_", "wire_name"),
    [
        pytest.param("bedrock", "bedrock", id="bedrock"),
        pytest.param("openai", "openai-responses", id="responses"),
        pytest.param("anthropic", "anthropic", id="anthropic"),
    ],
)
@pytest.mark.parametrize("block", ["gemini:thought", "gemini:text", "gemini:end"])
def test_its_signatures_stay_out_of_other_providers_requests(type_: str, wire_name: str, block: str) -> None:
    at = account(type_, base_url="https://bedrock-runtime.us-east-1.amazonaws.com")
    said = pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="said")
    said.reasoning_blocks.add(id=block, text="hm", signature="of-gemini")
    request = pb.ChatRequest(messages=[said, pb.ChatMessage(role=pb.ROLE_USER, text="hi")])
    body = wire(wire_name)[Operation.CHAT].encode(request, "m", False, at, "key").body
    assert b"said" in body
    assert b"of-gemini" not in body

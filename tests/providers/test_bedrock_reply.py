"""What we make of Converse's answers and errors."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    Garbled,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from sidecar.providers.registry import wire
from sidecar.providers.wire import Reply
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import answer

CODEC = wire("bedrock")[Operation.CHAT]
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}


def converse(*content: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content)}
    return {"output": {"message": message}, "stopReason": stop, "usage": USAGE, **more}


def decoded(body: Any, **headers: str) -> Reply:
    reply = CODEC.decode(answer(body, 200, **headers))
    assert isinstance(reply, Reply)
    return reply


def test_an_answer() -> None:
    reply = decoded(converse({"text": "Hel"}, {"text": "lo"}, metrics={"latencyMs": 7}), x_amzn_requestid="r1")
    (choice,) = reply.payload.choices
    assert (choice.message.text, choice.message.role, choice.finish_reason) == ("Hello", pb.ROLE_ASSISTANT, "end_turn")
    assert (reply.usage, reply.finish_reasons, reply.response_id, reply.model) == (
        Usage(input=10, output=5),
        ("end_turn",),
        "r1",
        "",
    )
    assert reply.payload.provider_metadata["metrics"]["latencyMs"] == 7


def test_reasoning_calls_and_citations() -> None:
    cited = {"citationsContent": {"content": [{"text": "So"}], "citations": [{"title": "t"}]}}
    own = {"toolUse": {"toolUseId": "s1", "name": "search", "input": {}, "type": "server_tool_use"}}
    reply = decoded(
        converse(
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
            {"reasoningContent": {"redactedContent": "cmVk"}},
            cited,
            own,
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": [1, "x"]}}},
            {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
            stop="tool_use",
        )
    )
    message = reply.payload.choices[0].message
    assert (message.text, message.reasoning) == ("So", "hm")
    assert list(message.reasoning_blocks) == [
        pb.ReasoningBlock(text="hm", signature="sig"),
        pb.ReasoningBlock(redacted="cmVk"),
    ]
    assert list(message.tool_calls) == [
        pb.ToolCall(id="t1", name="f", arguments='{"a":[1,"x"]}'),
        pb.ToolCall(id="t2", name="g", arguments="{}"),
    ]
    assert len(reply.payload.provider_metadata["choices"][0]["content"]) == 2


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        pytest.param(USAGE, Usage(input=10, output=5), id="plain"),
        pytest.param(
            {**USAGE, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0},
            Usage(input=10, output=5, cache_read=0, cache_write=0),
            id="zeros-are-values",
        ),
        pytest.param(
            {"inputTokens": 18, "outputTokens": 386, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 7502},
            Usage(input=7527, output=386, cache_read=7, cache_write=7502),
            id="cached-tokens-come-on-top",
        ),
        pytest.param({"outputTokens": 5}, Usage(output=5), id="part"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_usage(reported: Any, usage: Usage | None) -> None:
    assert decoded(converse({"text": "x"}, usage=reported)).usage == usage


def test_a_prompt_router_tells_which_model_it_chose() -> None:
    assert decoded(converse({"text": "x"}, trace={"promptRouter": {"invokedModelId": "m"}})).model == "m"


@pytest.mark.parametrize("reason", ["content_filtered", "guardrail_intervened"])
def test_an_answer_that_was_withheld(reason: str) -> None:
    """Without a word it is a filtered call, billed; with a guardrail's words it is an answer that ended so."""
    with pytest.raises(ContentFiltered) as caught:
        CODEC.decode(answer(converse(stop=reason)))
    assert caught.value.usage == Usage(input=10, output=5)
    assert decoded(converse({"text": "Blocked."}, stop=reason)).finish_reasons == (reason,)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="no-json"),
        pytest.param([], id="no-object"),
        pytest.param({"stopReason": "end_turn"}, id="no-message"),
        pytest.param({"output": {"message": {"content": []}}}, id="no-reason"),
    ],
)
def test_garbage(body: Any) -> None:
    with pytest.raises(Garbled):
        CODEC.decode(answer(body))


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        pytest.param(403, "AccessDeniedException", "no", KeyRejected, id="denied"),
        pytest.param(403, "AccessDeniedException", "You don't have access to the model", ModelNotFound, id="no-grant"),
        pytest.param(403, "UnrecognizedClientException", "bad token", KeyRejected, id="wrong-key"),
        pytest.param(403, "ExpiredTokenException", "expired", KeyRejected, id="expired"),
        pytest.param(
            400, "ValidationException", "The provided model identifier is invalid.", ModelNotFound, id="model"
        ),
        pytest.param(400, "ValidationException", "Input is too long for requested model.", ContextTooLong, id="long"),
        pytest.param(400, "ValidationException", "Input Tokens Exceeded: 9", ContextTooLong, id="long-for-nova"),
        pytest.param(400, "ValidationException", "bad", BadRequest, id="bad"),
        pytest.param(400, "ServiceQuotaExceededException", "quota", RateLimited, id="quota"),
        pytest.param(400, "", "bad", BadRequest, id="no-kind"),
        pytest.param(404, "ResourceNotFoundException", "gone", ModelNotFound, id="not-found"),
        pytest.param(408, "ModelTimeoutException", "slow", ServerError, id="timeout"),
        pytest.param(424, "ModelErrorException", "broke", ServerError, id="model-error"),
        pytest.param(429, "ThrottlingException", "Too many tokens", RateLimited, id="throttled"),
        pytest.param(429, "ModelNotReadyException", "loading", ServerError, id="not-ready"),
        pytest.param(500, "InternalServerException", "input is too long", ServerError, id="500"),
        pytest.param(503, "ServiceUnavailableException", "", ServerError, id="503"),
        pytest.param(502, "", "", ServerError, id="502-of-a-proxy"),
    ],
)
def test_errors(status: int, kind: str, message: str, fault: type[Fault]) -> None:
    errortype = f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/" if kind else ""
    found = CODEC.fault(answer({"message": message}, status, x_amzn_errortype=errortype))
    assert (type(found), found.http_status, found.provider_code) == (fault, status, kind)
    assert found.message == (message or kind or f"HTTP {status}")


def test_the_kind_may_stand_in_the_body() -> None:
    found = CODEC.fault(answer({"__type": "com.amazon.coral#ThrottlingException", "Message": "slow down"}, 400))
    assert (type(found), found.message) == (RateLimited, "slow down")


def test_the_request_that_aws_echoes_stays_out_of_the_message() -> None:
    echoed = "The signature does not match. The Canonical String for this request should have been\n'POST ... token'"
    found = CODEC.fault(answer({"message": echoed}, 403, x_amzn_errortype="InvalidSignatureException"))
    assert (type(found), found.message) == (KeyRejected, "The signature does not match.")

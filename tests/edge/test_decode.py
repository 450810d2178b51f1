"""CallSpec -> Call: what is read, and every violation with its field."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import (
    Capability,
    Operation,
    Preference,
    RequestParameters,
    StreamRecovery,
    Target,
    Timeouts,
)
from sidecar.core.faults import RefusalReason
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.support.edge import chat_spec, decoded

USER = payload.ChatMessage(role=payload.ROLE_USER, text="hi")
NAN = float("nan")


def chat(**fields: Any) -> dict[str, Any]:
    return {"chat": payload.ChatRequest(**fields)}


def message(**fields: Any) -> dict[str, Any]:
    return chat(messages=[payload.ChatMessage(**fields)])


def user_part(**fields: Any) -> dict[str, Any]:
    return message(role=payload.ROLE_USER, parts=[payload.ContentPart(**fields)])


def options(value: float) -> Struct:
    struct = Struct()
    struct.update({"a": [{"b": value}]})
    return struct


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, ("text", "text", None), id="nothing-is-text"),
        pytest.param({"alias": "smart"}, ("smart", "", None), id="alias"),
        pytest.param({"task": "fast"}, ("fast", "fast", None), id="task"),
        pytest.param(
            {"target": pb.ModelRef(provider="openai", model="m")}, ("", "", Target("openai", "m")), id="target"
        ),
        pytest.param({"target": pb.ModelRef(provider="openai")}, ("", "", Target("openai", "")), id="default-model"),
        pytest.param({"capability": pb.CAPABILITY_CHAT}, ("", "", None), id="capability-alone"),
    ],
)
def test_destination(fields: dict[str, Any], expected: tuple[str, str, Target | None]) -> None:
    call = decoded(chat_spec(**fields)).call
    assert (call.alias, call.task, call.target) == expected


def test_everything_that_a_call_says() -> None:
    spec = chat_spec(
        alias="smart",
        capability=pb.CAPABILITY_TRANSLATION,
        preferred_provider="groq",
        routing_preference=pb.ROUTING_PREFERENCE_COST,
        stream_recovery=pb.STREAM_RECOVERY_RESTART,
        timeouts=pb.Timeouts(ttft=Duration(seconds=1, nanos=500_000_000)),
        tags={"team": "growth"},
        request_id="0B0E0A0C-0000-4000-8000-00000000ABCD",
        conversation_id="thread 9",
        workspace_id="default",
    )
    found = decoded(spec)
    assert found.refusal is None
    assert found.call.capability is Capability.TRANSLATION
    assert found.call.preferred_provider == "groq"
    assert found.call.preference is Preference.COST
    assert found.call.stream_recovery is StreamRecovery.RESTART
    assert found.call.timeouts == Timeouts(ttft_s=1.5)
    assert found.call.tags == {"team": "growth"}
    assert found.call.request_id == "0b0e0a0c-0000-4000-8000-00000000abcd"
    assert found.call.conversation_id == "thread 9"
    assert found.call.bytes_in == len(spec.chat.SerializeToString())


def test_parameters_keep_an_explicit_zero() -> None:
    """litellm#37992: an explicit zero read as missing."""
    request = payload.ChatRequest(
        prompt="x", temperature=0.0, max_tokens=5, stop=["."], response_format=payload.ResponseFormat(json_object=True)
    )
    expected = RequestParameters(temperature=0.0, max_tokens=5, stop=(".",), output_type="json")
    assert decoded(chat_spec(chat=request)).call.parameters == expected


@pytest.mark.parametrize(
    ("fields", "operation"),
    [
        ({"completion": payload.CompletionRequest(prompt="x")}, Operation.COMPLETION),
        ({"embedding": payload.EmbeddingRequest(inputs=["x"])}, Operation.EMBEDDING),
        ({"moderation": payload.ModerationRequest(inputs=["x"])}, Operation.MODERATION),
        (chat(messages=[USER]), Operation.CHAT),
    ],
    ids=lambda value: value.value if isinstance(value, Operation) else "",
)
def test_operations(fields: dict[str, Any], operation: Operation) -> None:
    found = decoded(pb.CallSpec(**fields))
    assert (found.refusal, found.call.operation) == (None, operation)


BAD = [
    pytest.param(message(text="hi"), ["call.chat.messages[0].role"], id="no-role"),
    pytest.param(message(role=99, text="hi"), ["call.chat.messages[0].role"], id="unknown-role"),
    pytest.param(message(role=payload.ROLE_USER), ["call.chat.messages[0].text"], id="no-content"),
    pytest.param(
        message(role=payload.ROLE_TOOL, text="4"), ["call.chat.messages[0].tool_call_id"], id="tool-without-call"
    ),
    pytest.param(
        message(role=payload.ROLE_ASSISTANT, tool_calls=[payload.ToolCall(id="1")]),
        ["call.chat.messages[0].tool_calls[0].name"],
        id="tool-call-without-name",
    ),
    pytest.param(
        message(role=payload.ROLE_USER, text="a", parts=[payload.ContentPart(text="b")]),
        ["call.chat.messages[0]"],
        id="text-and-parts",
    ),
    pytest.param(user_part(), ["call.chat.messages[0].parts[0]"], id="empty-part"),
    pytest.param(user_part(image=payload.ImagePart()), ["call.chat.messages[0].parts[0].image"], id="empty-image"),
    pytest.param(
        user_part(image=payload.ImagePart(url="file:///etc/passwd")),
        ["call.chat.messages[0].parts[0].image.url"],
        id="image-url-of-a-file",
    ),
    pytest.param(
        user_part(image=payload.ImagePart(data=b"x")),
        ["call.chat.messages[0].parts[0].image.media_type"],
        id="image-without-type",
    ),
    pytest.param(user_part(file=payload.FilePart(filename="x")), ["call.chat.messages[0].parts[0].file"], id="no-file"),
    pytest.param(
        user_part(file=payload.FilePart(url="file:///etc/passwd")),
        ["call.chat.messages[0].parts[0].file.url"],
        id="file-url-of-a-file",
    ),
    pytest.param(chat(), ["call.chat.messages"], id="neither-prompt-nor-messages"),
    pytest.param(chat(prompt="x", messages=[USER]), ["call.chat.messages"], id="prompt-and-messages"),
    pytest.param(chat(prompt="x", temperature=NAN), ["call.chat.temperature"], id="temperature-nan"),
    pytest.param(chat(prompt="x", top_p=1.5), ["call.chat.top_p"], id="top-p-out-of-range"),
    pytest.param(chat(prompt="x", max_tokens=0), ["call.chat.max_tokens"], id="max-tokens-zero"),
    pytest.param(chat(prompt="x", logit_bias={"1": NAN}), ["call.chat.logit_bias['1']"], id="logit-bias-nan"),
    pytest.param(chat(prompt="x", provider_options=options(NAN)), ["call.chat.provider_options"], id="options-nan"),
    pytest.param(chat(prompt="x", tools=[payload.Tool()]), ["call.chat.tools[0].name"], id="tool-without-name"),
    pytest.param(
        chat(prompt="x", tool_choice=payload.ToolChoice(mode="maybe")), ["call.chat.tool_choice.mode"], id="tool-mode"
    ),
    pytest.param(
        chat(prompt="x", tool_choice=payload.ToolChoice(name="no")), ["call.chat.tool_choice.name"], id="tool-unknown"
    ),
    pytest.param({"completion": payload.CompletionRequest()}, ["call.completion.prompt"], id="completion-empty"),
    pytest.param({"embedding": payload.EmbeddingRequest()}, ["call.embedding.inputs"], id="embedding-empty"),
    pytest.param(
        {"embedding": payload.EmbeddingRequest(inputs=["x"], dimensions=0)},
        ["call.embedding.dimensions"],
        id="dimensions-zero",
    ),
    pytest.param({"moderation": payload.ModerationRequest()}, ["call.moderation.inputs"], id="moderation-empty"),
    pytest.param({"alias": ""}, ["call.alias"], id="alias-empty"),
    pytest.param({"alias": "a\nb"}, ["call.alias"], id="alias-with-newline"),
    pytest.param({"task": "x" * 129}, ["call.task"], id="task-too-long"),
    pytest.param({"target": pb.ModelRef(model="m")}, ["call.target.provider"], id="target-without-provider"),
    pytest.param({"capability": 77}, ["call.capability"], id="capability-unknown"),
    pytest.param({"capability": pb.CAPABILITY_EMBEDDING}, ["call.capability"], id="capability-of-another-operation"),
    pytest.param({"routing_preference": 9}, ["call.routing_preference"], id="preference-unknown"),
    pytest.param({"stream_recovery": 9}, ["call.stream_recovery"], id="recovery-unknown"),
    pytest.param({"timeouts": pb.Timeouts(ttft=Duration())}, ["call.timeouts.ttft"], id="timeout-zero"),
    pytest.param({"timeouts": pb.Timeouts(stall=Duration(seconds=-1))}, ["call.timeouts.stall"], id="timeout-negative"),
    pytest.param({"tags": {"who": "x"}}, ["call.tags['who']"], id="tag-not-allowed"),
    pytest.param({"tags": {"team": "x" * 300}}, ["call.tags['team']"], id="tag-too-long"),
    pytest.param({"tags": dict.fromkeys("abcde", "x")}, ["call.tags"], id="too-many-tags"),
    pytest.param({"request_id": "not a uuid"}, ["call.request_id"], id="request-id"),
    pytest.param({"conversation_id": "x" * 300}, ["call.conversation_id"], id="conversation-id"),
    pytest.param(
        {"tags": {"who": "x"}, "request_id": "no", **chat()},
        ["call.chat.messages", "call.tags['who']", "call.request_id"],
        id="all-told-at-once",
    ),
]


@pytest.mark.parametrize(("fields", "paths"), BAD)
def test_violations(fields: dict[str, Any], paths: list[str]) -> None:
    refusal = decoded(chat_spec(**fields)).refusal
    assert refusal is not None
    assert (refusal.grpc_status, refusal.reason) == ("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST)
    assert [path for path, _ in refusal.field_violations] == paths


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(user_part(file=payload.FilePart(url="https://x.test/a.pdf")), id="file-on-the-web"),
        pytest.param(user_part(file=payload.FilePart(url="s3://bucket/a.pdf")), id="file-in-a-bucket"),
        pytest.param(user_part(file=payload.FilePart(file_id="f1")), id="file-by-id"),
        pytest.param(user_part(image=payload.ImagePart(url="gs://bucket/a.png")), id="image-in-a-bucket"),
        pytest.param(
            message(role=payload.ROLE_ASSISTANT, reasoning_blocks=[payload.ReasoningBlock(redacted="x")]),
            id="only-signed-reasoning",
        ),
    ],
)
def test_what_is_well_said(fields: dict[str, Any]) -> None:
    assert decoded(chat_spec(**fields)).refusal is None


def test_a_call_without_payload_is_still_a_call() -> None:
    found = decoded(pb.CallSpec())
    assert found.call.operation is Operation.UNKNOWN
    assert found.refusal is not None
    assert found.refusal.field_violations == (("call", "set a payload: chat, completion, embedding or moderation"),)


def test_many_violations_are_counted_beyond_the_first() -> None:
    refusal = decoded(chat_spec(**chat(messages=[payload.ChatMessage()] * 50))).refusal
    assert refusal is not None
    assert refusal.message.endswith("; and 92 more")


@pytest.mark.parametrize("workspace_id", ["other", "42"])
def test_a_call_for_another_workspace_is_refused(workspace_id: str) -> None:
    refusal = decoded(chat_spec(workspace_id=workspace_id)).refusal
    assert refusal is not None
    assert (refusal.grpc_status, refusal.reason) == ("PERMISSION_DENIED", RefusalReason.WORKSPACE_MISMATCH)


def test_a_prompt_never_stands_in_a_refusal() -> None:
    refusal = decoded(chat_spec(**chat(prompt="my secret", temperature=NAN), tags={"x": "my secret"})).refusal
    assert refusal is not None
    assert "my secret" not in repr(refusal)

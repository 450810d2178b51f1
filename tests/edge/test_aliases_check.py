"""What a definition must be: everything that is wrong is told at once, each with its field."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Capability, Operation, Target
from sidecar.core.catalog import Alias, Route
from sidecar.edge.aliases_check import violations
from sidecar.edge.aliases_messages import normal, reason
from sidecar.settings.built_in import default_aliases
from sidecar.workspaces.definition import message_of
from taximeter.v1 import aliases_pb2 as pb
from tests.support.aliases import definition
from tests.support.routes import account, catalog

param = pytest.param
TODAY = date(2026, 11, 21)
TEXT = frozenset({Operation.CHAT, Operation.EMBEDDING})
SEEN = catalog(
    [
        account("openai", operations=TEXT, capabilities=frozenset(Capability), display="OpenAI"),
        account("anthropic", operations=frozenset({Operation.CHAT}), display="Anthropic"),
        account("groq", operations=frozenset({Operation.CHAT})),
        account("zhipu", operations=frozenset({Operation.CHAT})),
        account("gemini", operations=TEXT, capabilities=frozenset(Capability), default_models={}),
        account("openrouter", operations=TEXT, aggregator=True),
    ]
)


def told(**values: Any) -> list[tuple[str, str]]:
    return list(violations(definition(**values), SEEN, TODAY))


def to(*targets: dict[str, Any]) -> dict[str, Any]:
    return {"targets": list(targets)}


CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-5-5"}


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        param({"name": None}, "name", "is required", id="no-name"),
        param({"name": "My Alias"}, "name", "an alias is named by a-z", id="a-name-with-a-space"),
        param({"name": "x" * 65}, "name", "at most 64 of them", id="a-long-name"),
        param({"display_name": "a\nb"}, "display_name", "all printable", id="a-name-over-two-lines"),
        param({**to({"provider": "openai", "model": "x"}), "capability": "CAPABILITY_IMAGE_GENERATION",
               "parameters": None}, "capability",
              "image_generation is image, and the modality is text", id="capability-against-modality"),
        param({"targets": None}, "targets", "at least one is required", id="no-chain"),
        param(to(*[{"provider": "groq", "model": str(n)} for n in range(33)]), "targets", "at most 32", id="many"),
        param(to(CLAUDE, CLAUDE), "targets[1]", "is the same as targets[0]", id="one-target-twice"),
        param(to({"model": "x"}), "targets[0].provider", "is required", id="a-target-without-a-provider"),
        param(to({"provider": "antropic"}), "targets[0].provider",
              "no provider is named 'antropic'; did you mean 'anthropic'?", id="unknown-provider"),
        param(to({"provider": "openrouter", "model": "x"}), "targets[0].provider",
              "openrouter is an aggregator, and allow_aggregators is false", id="aggregator"),
        param(to({"provider": "elevenlabs", "model": "x"}), "targets[0].provider", "ElevenLabs offers no text",
              id="a-provider-of-speech-for-text"),
        param(to({**CLAUDE, "weight": -1}), "targets[0].weight", "must be from 0 to 1000000", id="weight"),
        param(to({**CLAUDE, "priority": -1}), "targets[0].priority", "must be from 0 to 1000000", id="priority"),
        param({**to(CLAUDE), "capability": "CAPABILITY_EMBEDDING", "parameters": None}, "targets[0].provider",
              "Anthropic does not offer embeddings", id="not-offered"),
        param(to({"provider": "gemini"}), "targets[0].model", "is required: gemini has no", id="no-model"),
        param(to({"provider": "openai", "model": "gpt-4-turbo"}), "targets[0].model",
              "gpt-4-turbo ended on 2026-10-23: gpt-5.6-sol takes its place", id="retired"),
        param({"limits": {"max_concurrent": 0}}, "limits.max_concurrent", "must be at least 1", id="limit"),
        param({"timeouts": {"ttft": "0s"}}, "timeouts.ttft", "must be above 0", id="timeout"),
        param({"parameters": {"temprature": 1}}, "parameters.temprature",
              "no such parameter; did you mean 'temperature'?", id="unknown-parameter"),
        param({"parameters": {"temperature": "hot"}}, "parameters.temperature", "is not of the type", id="its-type"),
        param({"parameters": {"max_tokens": 1.5}}, "parameters.max_tokens", "is not of the type", id="half-a-token"),
        param({"parameters": {"top_p": 2}}, "parameters.top_p", "must be from 0 to 1", id="its-range"),
        param({"parameters": {"stop": ["x" * 99] * 700}}, "parameters", "at most 65536 bytes", id="as-long-as-a-book"),
        param({"parameters": {"provider_options": {"openai": {"messages": []}}}},
              "parameters.provider_options.openai.messages", "for each call to say", id="content-for-one-provider"),
        param({"parameters": {"provider_options": {"openai": {"model": "x"}}}},
              "parameters.provider_options.openai.model", "for each call to say", id="another-model"),
        param({"parameters": {"prompt": "x"}}, "parameters.prompt", "each call brings itself", id="content"),
        param({"parameters": {"dimensions": 8}}, "parameters.dimensions", "no such parameter",
              id="a-parameter-of-another-operation"),
    ],
)  # fmt: skip
def test_one_mistake(values: dict[str, Any], field: str, words: str) -> None:
    ((where, what),) = told(**values)
    assert where == f"alias.{field}"
    assert words in what


def test_all_mistakes_at_once() -> None:
    wrong = told(name="", targets=[{"provider": "nobody", "weight": -1}], parameters={"x": 1}, limits={"max_tokens": 0})
    assert [where for where, _ in wrong] == [
        "alias.name", "alias.targets[0].weight", "alias.targets[0].provider", "alias.limits.max_tokens",
        "alias.parameters.x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        param({}, id="the-example"),
        param({"capability": None, "modality": None, "parameters": {"dimensions": 8, "temperature": 0}}, id="any-text"),
        param({**to({"provider": "openrouter", "model": "x"}), "allow_aggregators": True}, id="aggregators-allowed"),
        param(to({"provider": "openai"}, {"provider": "openai", "model": "x"}), id="a-default-and-a-named-model"),
        param(to({"provider": "groq", "model": "llama-3.3-70b-versatile"}), id="retired-for-some-only"),
        param({**to({"provider": "elevenlabs", "model": "eleven_multilingual_v2"}), "modality": "MODALITY_AUDIO",
               "capability": "CAPABILITY_AUDIO_GENERATION", "parameters": None}, id="what-is-served-later"),
        param({**to({"provider": "openai", "model": "whisper-1"}), "modality": "MODALITY_AUDIO", "capability": None,
               "parameters": None}, id="a-model-that-is-going"),
    ],
)  # fmt: skip
def test_what_is_taken(values: dict[str, Any]) -> None:
    assert told(**values) == []


@pytest.mark.parametrize("version", default_aliases("acme", 0), ids=lambda version: version.name)
def test_the_default_aliases_are_good_ones(version: Any) -> None:
    assert list(violations(message_of(version), SEEN, TODAY)) == []


def test_a_model_that_is_going_is_told() -> None:
    alias = Alias("stt", (Route(Target("openai", "whisper-1")),))
    assert reason(alias, SEEN.accounts) == "whisper-1 ends on 2027-02-26: gpt-transcribe takes its place"


def test_names_are_kept_as_they_are_known() -> None:
    made = normal(definition(name=" writer ", targets=[{"provider": "Google", "model": " x "}]))
    assert (made.name, made.targets[0].provider, made.targets[0].model) == ("writer", "gemini", "x")


@given(st.binary(max_size=200))
def test_whatever_comes_is_judged(body: bytes) -> None:
    try:
        made = pb.AliasDefinition.FromString(body)
    except Exception:  # noqa: BLE001 - of protobuf's own making
        return
    assert list(violations(made, SEEN, TODAY))


LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(st.dictionaries(st.sampled_from(["temperature", "stop", "tools", "logit_bias", "seed", "x"]), JSON, max_size=3))
def test_parameters_of_any_shape_are_judged(parameters: dict[str, Any]) -> None:
    made = ParseDict({"name": "x", "targets": [CLAUDE], "parameters": parameters}, pb.AliasDefinition())
    assert all(where.startswith("alias.parameters") for where, _ in violations(made, SEEN, TODAY))

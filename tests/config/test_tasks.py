"""AI_<TASK>_*: chains for image, text, video-slides and agent, and what these are when nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.call import Operation, Strategy
from tests.support.config import chain, errors, load

param = pytest.param


@pytest.mark.parametrize(
    ("environ", "alias", "expected"),
    [
        param("AI_TEXT_PROVIDER=groq AI_TEXT_MODEL=m GROQ_API_KEY=KEY", "text", ["groq/m"], id="one place"),
        param("AI_TEXT_PROVIDER=Groq", "text", ["groq/q-smart"], id="default model"),
        param("AI_TEXT_PROVIDER=google", "text", ["gemini/g-smart"], id="another spelling"),
        param("AI_IMAGE_PROVIDER=openai", "image", ["openai/o-image"], id="default image model"),
        param(
            "AI_AGENT_PROVIDER=openai AI_AGENT_FALLBACK_PROVIDER=groq",
            "agent",
            ["openai/o-smart", "groq/q-smart"],
            id="fallback provider",
        ),
        param(
            "AI_AGENT_PROVIDER=openai AI_AGENT_MODEL=a AI_AGENT_FALLBACK_MODEL=b",
            "agent",
            ["openai/a", "openai/b"],
            id="fallback model alone: the same provider",
        ),
        param("AI_VIDEO_SLIDES_PROVIDER=openai AI_VIDEO_SLIDES_MODEL=a", "video-slides", ["openai/a"], id="two words"),
        param(
            "AI_TEXT_PROVIDER=openrouter AI_OPENROUTER1_KEY=KEY AI_OPENROUTER2_KEY=KEY",
            "text",
            ["openrouter1/r-smart", "openrouter2/r-smart"],
            id="a type means all its accounts",
        ),
        param(
            "AI_TEXT_PROVIDER=custom AI_TEXT_MODEL=m AI_CUSTOM_URL=http://h/v1 AI_CUSTOM_KEY=KEY",
            "text",
            ["custom/m"],
            id="a custom one without models",
        ),
        param("AI_OPENAI_KEY=KEY", "text", ["openai/o-smart"], id="text follows smart"),
        param("AI_OPENAI_KEY=KEY", "agent", ["openai/o-smart"], id="agent follows smart"),
        param("AI_OPENAI_KEY=KEY", "video-slides", ["openai/o-smart"], id="video-slides follows smart"),
        param(
            "AI_GROQ_KEY=KEY AI_GEMINI_KEY=KEY", "image", ["gemini/g-image"], id="image: the first with an image model"
        ),
        param("AI_OPENAI_KEY=KEY", "image-prompt-generation", ["openai/o-smart"], id="a named task follows smart"),
        param("AI_OPENAI_KEY=KEY", "post-generation", ["openai/o-fast"], id="a named task follows fast"),
        param("", "default-writer", ["openai/o-smart", "anthropic/c-smart", "zhipu/z-smart"], id="default-writer"),
        param("", "fast-drafts", ["openai/o-fast", "gemini/g-fast"], id="fast-drafts"),
        param("", "code-assist", ["openai/o-smart", "groq/openai/gpt-oss-120b"], id="code-assist"),
        param(
            "AI_OPENAI_KEY=KEY AI_OPENAI_SMART=a",
            "default-writer",
            ["openai/a", "anthropic/c-smart", "zhipu/z-smart"],
            id="with the models configured",
        ),
    ],
)
def test_the_chain_of_an_alias(tmp_path: Path, environ: str, alias: str, expected: list[str]) -> None:
    assert chain(load(tmp_path, environ), alias) == expected


def test_a_task_is_failover_in_chain_order(tmp_path: Path) -> None:
    environ = "AI_ROTATION=random AI_TEXT_PROVIDER=openai AI_TEXT_FALLBACK_PROVIDER=groq OPENAI_API_KEY=KEY"
    alias = load(tmp_path, environ).catalog.aliases["text"]
    assert (alias.strategy, alias.operation) == (Strategy.FAILOVER, Operation.CHAT)
    assert alias.allow_aggregators


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "AI_OPENAI_KEY"])
def test_a_provider_is_found_whichever_variable_gave_its_key(tmp_path: Path, variable: str) -> None:
    loaded = load(tmp_path, f"{variable}=KEY AI_IMAGE_PROVIDER=openai AI_IMAGE_MODEL=dall-e-3")
    assert loaded.catalog.accounts["openai"].usable
    assert loaded.catalog.aliases["image"].unusable == ""


@pytest.mark.parametrize(
    ("environ", "alias", "unusable", "warned"),
    [
        param(
            "AI_IMAGE_PROVIDER=ollama AI_IMAGE_MODEL=mistral",
            "image",
            "Ollama does not offer image generation",
            "AI_IMAGE_PROVIDER: ollama cannot be used: Ollama does not offer image generation",
            id="images from ollama",
        ),
        param(
            "AI_IMAGE_PROVIDER=anthropic",
            "image",
            "Anthropic does not offer image generation",
            "AI_IMAGE_PROVIDER: anthropic cannot be used: Anthropic does not offer image generation",
            id="images from anthropic, without a model",
        ),
        param(
            "AI_TEXT_PROVIDER=anthropic AI_TEXT_MODEL=m",
            "text",
            "ANTHROPIC_API_KEY is not set",
            "AI_TEXT_PROVIDER: anthropic cannot be used: ANTHROPIC_API_KEY is not set",
            id="a task without its key",
        ),
        param(
            "AI_TEXT_PROVIDER=openai OPENAI_API_KEY=KEY AI_TEXT_FALLBACK_PROVIDER=anthropic",
            "text",
            "",
            "AI_TEXT_FALLBACK_PROVIDER: anthropic cannot be used: ANTHROPIC_API_KEY is not set",
            id="only the fallback",
        ),
    ],
)
def test_what_cannot_work_is_listed_and_does_not_stop_the_start(
    tmp_path: Path, environ: str, alias: str, unusable: str, warned: str
) -> None:
    loaded = load(tmp_path, environ)
    assert loaded.catalog.aliases[alias].unusable == unusable
    assert loaded.warnings == (warned,)


def test_ollama_named_by_a_task_is_taken_to_run_at_its_usual_place(tmp_path: Path) -> None:
    account = load(tmp_path, "AI_TEXT_PROVIDER=ollama AI_TEXT_MODEL=mistral").catalog.accounts["ollama"]
    assert (account.usable, account.base_url) == (True, "http://localhost:11434")


def test_an_alias_without_keys_says_which_would_help(tmp_path: Path) -> None:
    assert load(tmp_path).catalog.aliases["default-writer"].key_hints == ("openai", "anthropic", "zhipu")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        param(
            "AI_TEXT_PROVIDER=opnai",
            "AI_TEXT_PROVIDER: no provider is named 'opnai'; did you mean 'openai'?",
            id="unknown",
        ),
        param(
            "AI_TEXT_FALLBACK_PROVIDER=openai",
            "AI_TEXT_FALLBACK_PROVIDER: needs AI_TEXT_PROVIDER beside it",
            id="fallback only",
        ),
        param("AI_TEXT_MODEL=gpt-4.1", "AI_TEXT_MODEL: needs AI_TEXT_PROVIDER beside it", id="model only"),
        param(
            "AI_TEXT_PROVIDER=azure", "AI_TEXT_MODEL: is not set, and azure has no default model", id="no default model"
        ),
        param(
            "AI_TEXT_PROVIDER=openai AI_TEXT_FALLBACK_PROVIDER=azure",
            "AI_TEXT_FALLBACK_MODEL: is not set, and azure has no default model",
            id="no default model for the fallback",
        ),
    ],
)
def test_a_wrong_task_is_an_error_that_names_its_variable(tmp_path: Path, environ: str, said: str) -> None:
    found = errors(tmp_path, environ)
    assert (len(found), found[0][: len(said)]) == (1, said)

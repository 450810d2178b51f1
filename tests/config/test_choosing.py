"""Limits, named tasks and aggregators, as users set them."""

from pathlib import Path

import pytest

from sidecar.core.call import Operation, Strategy
from sidecar.core.catalog import RateLimits
from sidecar.settings.built_in import followers
from sidecar.settings.describe import describe
from tests.support.config import chain, errors, load

param = pytest.param
NAMED = {
    **dict.fromkeys(
        ("image-prompt-generation", "voice-text-conversion", "slide-generation", "post-categorization",
         "content-analysis"), "smart"),
    **dict.fromkeys(
        ("post-generation", "website-text-extraction", "simple-text-processing", "quick-content-transformation"),
        "fast"),
}  # fmt: skip
LIMITED = "[providers.openai.limits]\n"


@pytest.mark.parametrize(
    ("environ", "toml", "expected"),
    [
        param("", "", RateLimits(), id="none-unless-set"),
        param("AI_OPENAI_MAX_CONCURRENT=5 AI_OPENAI_RPM=60 AI_OPENAI_TPM=90_000", "", RateLimits(5, 60, 90_000),
              id="variables"),
        param("", f"{LIMITED}max_concurrent = 5\nrequests_per_minute = 60\ntokens_per_minute = 90_000",
              RateLimits(5, 60, 90_000), id="file"),
        param("AI_OPENAI_RPM=60", f"{LIMITED}requests_per_minute = 1\nmax_concurrent = 2", RateLimits(2, 60),
              id="a-variable-wins-field-by-field"),
    ],
)  # fmt: skip
def test_limits(tmp_path: Path, environ: str, toml: str, expected: RateLimits) -> None:
    loaded = load(tmp_path, f"OPENAI_API_KEY=KEY {environ}", toml=toml)
    assert loaded.catalog.accounts["openai"].limits == expected
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("environ", "toml", "error"),
    [
        param("AI_OPENAI_RPM=0", "", "AI_OPENAI_RPM: '0' is not a whole number from 1", id="nothing-may-be-asked"),
        param(
            "", f"{LIMITED}max_concurrent = 'many'", "providers.openai.limits.max_concurrent: 'many'", id="no-number"
        ),
        param("", f"{LIMITED}rpm = 5", "providers.openai.limits.rpm: not known here", id="another-name"),
    ],
)
def test_wrong_limits(tmp_path: Path, environ: str, toml: str, error: str) -> None:
    (told,) = errors(tmp_path, f"OPENAI_API_KEY=KEY {environ}", toml=toml)
    assert error in told


def test_limits_are_shown_with_their_origin(tmp_path: Path) -> None:
    lines = describe(load(tmp_path, "AI_GROQ_KEY=KEY AI_GROQ_RPM=30"))
    assert ("limits.requests_per_minute", "30", "AI_GROQ_RPM") in [
        (line.name.removeprefix("groq."), line.value, line.origin) for line in lines
    ]


def test_a_limit_alone_puts_no_account_into_the_pools(tmp_path: Path) -> None:
    loaded = load(tmp_path, "OPENAI_API_KEY=KEY AI_OPENAI_RPM=60 AI_GROQ_KEY=KEY OLLAMA_RPM=1 AI_OLLAMA_RPM=5")
    assert chain(loaded, "smart") == ["groq/q-smart"]
    assert not loaded.catalog.accounts["ollama"].usable


def test_the_named_tasks_have_their_ids_and_follow_their_pools() -> None:
    assert dict(followers()) == NAMED


@pytest.mark.parametrize("task", NAMED)
def test_a_named_task_is_its_pool_by_default(tmp_path: Path, task: str) -> None:
    loaded = load(tmp_path, "AI_OPENAI_KEY=KEY AI_GROQ_KEY=KEY AI_ROTATION=random")
    alias, pool = loaded.catalog.aliases[task], loaded.catalog.aliases[NAMED[task]]
    assert (alias.routes, alias.strategy, alias.operation) == (pool.routes, Strategy.RANDOM, Operation.CHAT)


@pytest.mark.parametrize("task", NAMED)
def test_a_named_task_takes_a_chain_by_variables(tmp_path: Path, task: str) -> None:
    name = task.upper().replace("-", "_")
    loaded = load(
        tmp_path,
        f"OPENAI_API_KEY=KEY GROQ_API_KEY=KEY AI_{name}_PROVIDER=groq AI_{name}_FALLBACK_PROVIDER=openai "
        f"AI_{name}_FALLBACK_MODEL=special",
    )
    assert chain(loaded, task) == [f"groq/q-{NAMED[task]}", "openai/special"]
    assert loaded.catalog.aliases[task].strategy is Strategy.FAILOVER
    assert loaded.warnings == ()


@pytest.mark.parametrize("task", NAMED)
def test_a_named_task_takes_a_chain_by_file(tmp_path: Path, task: str) -> None:
    toml = f"[aliases.{task}]\nchain = ['groq', 'openai/special']\nstrategy = 'round-robin'\n"
    loaded = load(tmp_path, "OPENAI_API_KEY=KEY GROQ_API_KEY=KEY", toml=toml)
    assert chain(loaded, task) == [f"groq/q-{NAMED[task]}", "openai/special"]
    assert loaded.catalog.aliases[task].strategy is Strategy.ROUND_ROBIN


@pytest.mark.parametrize("task", NAMED)
def test_a_named_task_takes_a_preference_and_keeps_its_pool(tmp_path: Path, task: str) -> None:
    loaded = load(tmp_path, "AI_OPENAI_KEY=KEY", toml=f"[aliases.{task}]\npreference = 'cost'\n")
    assert chain(loaded, task) == [f"openai/o-{NAMED[task]}"]
    assert loaded.catalog.aliases[task].preference == "cost"


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        param("[aliases.mine]\nchain = ['openai', 'openrouter']\nallow_aggregators = false", "aliases.mine",
              id="a-chain-of-ones-own"),
        param("[aliases.text]\nchain = ['openrouter/x']\nallow_aggregators = false", "aliases.text", id="a-task"),
        param("[aliases.mine]\nchain = ['openai', 'openrouter']", "", id="allowed-unless-said"),
        param("[aliases.smart]\nallow_aggregators = false", "", id="a-pool-passes-them-over"),
    ],
)  # fmt: skip
def test_a_chain_that_names_an_aggregator_while_none_is_allowed_is_an_error(
    tmp_path: Path, toml: str, told: str
) -> None:
    found = errors(tmp_path, "AI_OPENAI_KEY=KEY AI_OPENROUTER_KEY=KEY", toml=toml)
    expected = [f"taximeter.toml: {told}: names openrouter, an aggregator, while allow_aggregators is false"]
    assert list(found) == (expected if told else [])

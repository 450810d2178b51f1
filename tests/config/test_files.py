"""providers.json and taximeter.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.call import Capability, Preference, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import Route
from tests.support.config import KEY, chain, errors, load

param = pytest.param
OPENROUTER = {"name": "openrouter", "type": "openrouter", "api_key_env": "MY_KEY", "default_model": "m"}
LOCAL = {"name": "box", "type": "ollama", "base_url": "http://box:1", "default_model": "l", "capabilities": ["chat"]}


def test_json_providers_become_accounts_and_the_chain_of_text(tmp_path: Path) -> None:
    loaded = load(tmp_path, "MY_KEY=KEY", document={"providers": [OPENROUTER, LOCAL]})
    accounts = loaded.catalog.accounts
    assert chain(loaded, "text") == ["openrouter/m", "box/l"]
    assert loaded.catalog.aliases["text"].strategy is Strategy.FAILOVER
    assert (accounts["openrouter"].keys[0].secret, accounts["box"].base_url) == (KEY, "http://box:1")
    assert accounts["box"].capabilities == {Capability.CHAT}


@pytest.mark.parametrize(
    ("manager", "strategy", "goes_on"),
    [
        param({"load_balancing": True}, Strategy.ROUND_ROBIN, True, id="balanced"),
        param({"load_balancing": False, "fallback_enabled": True}, Strategy.FAILOVER, True, id="in file order"),
        param({"fallback_enabled": False}, Strategy.FAILOVER, False, id="no fallback"),
    ],
)
def test_the_manager_of_json(tmp_path: Path, manager: object, strategy: Strategy, goes_on: bool) -> None:
    catalog = load(tmp_path, document={"providers": [OPENROUTER], "manager": manager}).catalog
    assert (catalog.aliases["text"].strategy, catalog.retry.retry_failed) == (strategy, goes_on)


def test_a_variable_wins_over_the_manager_of_json(tmp_path: Path) -> None:
    catalog = load(tmp_path, "AI_RETRY_FAILED=true", document={"manager": {"fallback_enabled": False}}).catalog
    assert catalog.retry.retry_failed


def test_json_timeout_is_the_wait_for_an_answer(tmp_path: Path) -> None:
    account = load(tmp_path, document={"providers": [{**OPENROUTER, "timeout": 90}]}).catalog.accounts["openrouter"]
    assert account.timeouts == Timeouts(response_s=90.0)


def test_an_embedding_only_provider_gives_no_chat_model(tmp_path: Path) -> None:
    served = {"name": "vec", "base_url": "http://v/v1", "default_model": "bge", "capabilities": ["embedding"]}
    loaded = load(tmp_path, document={"providers": [served]})
    assert loaded.catalog.accounts["vec"].default_models == {"embedding": "bge"}
    assert "vec/bge" not in chain(loaded, "text")


def test_a_default_model_does_not_replace_the_embedding_model(tmp_path: Path) -> None:
    served = {"name": "openai", "default_model": "m", "capabilities": ["chat", "embedding"]}
    models = load(tmp_path, document={"providers": [served]}).catalog.accounts["openai"].default_models
    assert (models["smart"], models["embedding"]) == ("m", "o-embed")


def test_the_file_of_providers_can_stand_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"providers": [{"name": "groq", "default_model": "m"}]}')
    assert chain(load(tmp_path, "TAXIMETER_PROVIDERS_FILE=mine.json"), "text") == ["groq/m"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        param(
            {"providers": [{**OPENROUTER, "api_key": "sk-secret"}]},
            "providers.json: providers[0].api_key: a key does not belong in this file",
            id="inline key",
        ),
        param(
            {"providers": [{**OPENROUTER, "models": []}]},
            "providers.json: providers[0].models: not known here",
            id="unknown key",
        ),
        param(
            {"provider": []},
            "providers.json: provider: not known here; did you mean 'providers'?",
            id="unknown key at the top",
        ),
        param(
            {"manager": {"load_balance": 1}},
            "providers.json: manager.load_balance: not known here; did you mean 'load_balancing'?",
            id="unknown key of the manager",
        ),
        param({"providers": [{"default_model": "m"}]}, "providers.json: providers[0].name: is missing", id="no name"),
        param(
            {"providers": [{**OPENROUTER, "type": "grok"}]},
            "providers.json: providers[0].type: no provider is of type 'grok'; did you mean 'groq'?",
            id="unknown type",
        ),
        param(
            {"providers": [{**OPENROUTER, "timeout": "soon"}]},
            "providers.json: providers[0].timeout: 'soon' is not a duration like 10s, 5m or 7d",
            id="timeout",
        ),
        param(
            {"providers": [{**OPENROUTER, "capabilities": ["flying"]}]},
            "providers.json: providers[0].capabilities: 'flying' is none of text_generation, chat",
            id="capability",
        ),
        param({"providers": {}}, "providers.json: providers: is not a list", id="not a list"),
        param({"providers": ["openai"]}, "providers.json: providers[0]: is not a table", id="not tables"),
        param([], "providers.json: holds no table", id="a list at the top"),
        param("{", "providers.json: is not well-formed", id="not JSON"),
    ],
)
def test_a_mistake_in_json_names_its_path(tmp_path: Path, document: object, said: str) -> None:
    assert [error for error in errors(tmp_path, document=document) if error.startswith(said)]


def test_a_providers_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert "providers.json: there is no file" in errors(tmp_path, "TAXIMETER_PROVIDERS_FILE=/nowhere.json")[0]


TOML = """
[providers.box]
type = "ollama"
base_url = "http://box:1"
smart = "s"
enabled = true
weight = 2
self_hosted = true
models = { embedding = "e" }
timeouts = { connect = "1s", ttft = 2, response = "3m", stall = "500ms" }
"""


def test_a_toml_provider(tmp_path: Path) -> None:
    loaded = load(tmp_path, toml=TOML)
    account = loaded.catalog.accounts["box"]
    assert account.timeouts == Timeouts(1.0, 2.0, 180.0, 0.5)
    assert (account.weight, account.declared_price_zero, account.default_models["embedding"]) == (2, True, "e")
    assert chain(loaded, "smart") == ["box/s"]


def test_a_variable_sets_a_field_of_a_toml_provider(tmp_path: Path) -> None:
    account = load(tmp_path, "AI_BOX_SMART=mine AI_BOX_KEY=KEY", toml=TOML).catalog.accounts["box"]
    assert (account.type, account.default_models["smart"], account.keys[0].secret) == ("ollama", "mine", KEY)


ALIAS = """
[aliases.writer]
chain = [
  "openai/a/b",
  "groq",
  { provider = "together", model = "m", weight = 0, priority = 2, timeouts = { ttft = "1s" } },
]
strategy = "weighted"
preference = "cost"
stream_recovery = "restart"
allow_aggregators = false
timeouts = { response = "90s" }
"""


def test_a_toml_alias(tmp_path: Path) -> None:
    alias = load(tmp_path, toml=ALIAS).catalog.aliases["writer"]
    assert alias.routes == (
        Route(Target("openai", "a/b")),
        Route(Target("groq", "q-smart")),
        Route(Target("together", "m"), weight=0, priority=2, timeouts=Timeouts(ttft_s=1.0)),
    )
    assert (alias.strategy, alias.preference) == (Strategy.WEIGHTED, Preference.COST)
    assert (alias.stream_recovery, alias.allow_aggregators) == (StreamRecovery.RESTART, False)
    assert (alias.timeouts, alias.operation) == (Timeouts(response_s=90.0), None)


def test_settings_of_a_built_in_alias_leave_its_chain(tmp_path: Path) -> None:
    loaded = load(tmp_path, "AI_OPENAI_KEY=KEY", toml="[aliases.smart]\npreference = 'speed'\n")
    assert chain(loaded, "smart") == ["openai/o-smart"]
    assert loaded.catalog.aliases["text"].preference is Preference.SPEED


def test_a_variable_gives_the_chain_and_toml_the_rest(tmp_path: Path) -> None:
    toml = "[aliases.text]\nchain = ['groq/x']\npreference = 'speed'\n"
    loaded = load(tmp_path, "AI_TEXT_PROVIDER=openai", toml=toml)
    assert chain(loaded, "text") == ["openai/o-smart"]
    assert loaded.catalog.aliases["text"].preference is Preference.SPEED


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        param("[sistem]", "taximeter.toml: sistem: not known here; did you mean 'system'?", id="unknown table"),
        param(
            "[system]\nlissten = 1",
            "taximeter.toml: system.lissten: not known here; did you mean 'listen'?",
            id="unknown setting",
        ),
        param(
            "[system]\nlisten = 'x'",
            "taximeter.toml: system.listen: 'x' is not an address like 127.0.0.1:50051",
            id="wrong setting",
        ),
        param(
            "[providers.x]\nkey = 'sk-secret'",
            "taximeter.toml: providers.x.key: a key does not belong in this file",
            id="inline key",
        ),
        param(
            "[providers.x]\nurl = 'http://x'",
            "taximeter.toml: providers.x.url: not known here",
            id="unknown key of a provider",
        ),
        param(
            "[providers.x]\nbase_url = 1",
            "taximeter.toml: providers.x.base_url: the value is not an http or https URL",
            id="wrong type",
        ),
        param(
            "[providers.x]\ntimeouts = { conect = 1 }",
            "taximeter.toml: providers.x.timeouts.conect: not known here; did you mean 'connect'?",
            id="unknown wait",
        ),
        param("[aliases.x]", "taximeter.toml: aliases.x: names no chain", id="alias without a chain"),
        param("[aliases.x]\nchain = []", "taximeter.toml: aliases.x.chain: is empty", id="empty chain"),
        param(
            "[aliases.x]\nchain = ['opnai/m']",
            "taximeter.toml: aliases.x.chain[0]: no provider is named 'opnai'; did you mean 'openai'?",
            id="unknown provider",
        ),
        param(
            "[aliases.x]\nchain = [{ model = 'm' }]",
            "taximeter.toml: aliases.x.chain[0].provider: is missing",
            id="place without a provider",
        ),
        param(
            "[aliases.x]\nchain = ['azure']",
            "taximeter.toml: aliases.x.chain[0]: is not set, and azure has no default model",
            id="no model",
        ),
        param(
            "[aliases.x]\nchain = ['openai']\nstrategy = 'best'",
            "taximeter.toml: aliases.x.strategy: 'best' is none of round-robin, random, weighted, failover",
            id="strategy",
        ),
        param(
            "[aliases.'X y']\nchain = ['openai']",
            "taximeter.toml: aliases.X y: an alias is named by a-z, 0-9, '-', '.' and '_', at most 64 of them",
            id="alias name",
        ),
        param("aliases = 1", "taximeter.toml: aliases: is not a table", id="not a table"),
    ],
)
def test_a_mistake_in_toml_names_its_path(tmp_path: Path, toml: str, said: str) -> None:
    assert [error for error in errors(tmp_path, toml=toml) if error.startswith(said)]


def test_precedence_runs_from_environment_to_built_in(tmp_path: Path) -> None:
    """Each place in turn is the best one left."""
    places = {
        "environ": "AI_OPENAI_SMART=1",
        "dotenv": "AI_OPENAI_SMART=2\n",
        "toml": "[providers.openai]\nsmart = '3'\n",
        "document": {"providers": [{"name": "openai", "default_model": "4"}]},
    }
    found = []
    for left in range(len(places) + 1):
        folder = tmp_path / str(left)
        folder.mkdir()
        loaded = load(folder, **dict(list(places.items())[left:]))  # type: ignore[arg-type] # of these keywords
        found.append(loaded.catalog.accounts["openai"].default_models["smart"])
    assert found == ["1", "2", "3", "4", "o-smart"]


def test_the_key_that_a_file_names_wins_over_the_vendors_own(tmp_path: Path) -> None:
    toml = "[providers.openai]\napi_key_env = 'MY_KEY'\n"
    account = load(tmp_path, "MY_KEY=KEY OPENAI_API_KEY=sk-other", toml=toml).catalog.accounts["openai"]
    assert account.keys[0].key_id == "MY_KEY"


def test_the_variable_that_a_file_names_is_the_one_to_set(tmp_path: Path) -> None:
    toml = "[providers.openai]\napi_key_env = 'MY_KEY'\n"
    assert load(tmp_path, toml=toml).catalog.accounts["openai"].unusable == "MY_KEY is not set"


@pytest.mark.parametrize("name", ["my_llm", "My-LLM", "MY_LLM"])
def test_one_name_in_every_spelling(tmp_path: Path, name: str) -> None:
    served = {"name": name, "base_url": "http://h/v1", "default_model": "m"}
    loaded = load(tmp_path, f"AI_MY_LLM_KEY=KEY AI_AGENT_PROVIDER={name}", document={"providers": [served]})
    assert loaded.catalog.accounts["my-llm"].keys[0].secret == KEY
    assert (chain(loaded, "text"), chain(loaded, "agent")) == (["my-llm/m"], ["my-llm/m"])


def test_a_name_that_no_call_could_use_is_an_error(tmp_path: Path) -> None:
    said = "providers.json: providers[0]: a provider is named by a-z, 0-9 and '-', at most 64 of them"
    assert errors(tmp_path, document={"providers": [{"name": "a/b"}]}) == (said,)

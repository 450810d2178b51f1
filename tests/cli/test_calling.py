"""`taximeter invoke` and `providers` against a running sidecar."""

import json

import pytest

from tests.support.cli import Shell
from tests.support.fakesidecar import FakeSidecar, served

pytestmark = pytest.mark.xdist_group("cli")
ANSWER = "Seven words that a provider once said."


def test_the_answer_goes_to_standard_output_and_what_it_cost_to_standard_error(shell: Shell) -> None:
    done = shell.run("invoke", "hello", "--alias", "smart")
    assert (done.code, done.out) == (0, f"{ANSWER}\n")
    assert "loop/plain · 12 in · 7 out" in done.err


def test_a_stream_is_shown_as_it_comes(shell: Shell) -> None:
    done = shell.run("invoke", "hello", "--alias", "fast", "--stream")
    assert (done.code, done.out) == (0, "word0 word1 word2 word3 word4 \n")
    assert "5 out" in done.err


def test_a_dash_reads_standard_input(shell: Shell) -> None:
    assert shell.run("invoke", "-", stdin="hello\n").out == f"{ANSWER}\n"


def test_json_has_answer_and_metering(shell: Shell) -> None:
    told = shell.run("invoke", "hello", "--model", "loop/plain", "--json").document
    assert told["response"]["choices"][0]["message"]["text"] == ANSWER
    assert told["metering"]["usage"] == {"inputTokens": "12", "outputTokens": "7"}


def test_json_of_a_stream_is_one_event_a_line(shell: Shell) -> None:
    events = shell.run("invoke", "hello", "--alias", "fast", "--stream", "--json").lines
    assert [next(iter(event)) for event in events] == ["started", *["delta"] * 5, "finished"]


def test_a_failover_is_told(shell: Shell) -> None:
    done = shell.run("invoke", "hello", "--alias", "rescued")
    assert done.code == 0
    assert "routed to fallback" in done.err
    assert "1. loop/dead" in done.err


REFUSED = [
    pytest.param(["--alias", "smrat"], 1, "Did you mean 'smart'?", id="unknown alias"),
    pytest.param(["--model", "openai/gpt-4.1"], 1, "OPENAI_API_KEY is not set", id="provider without a key"),
    pytest.param(["--alias", "dead"], 1, "ALL_ATTEMPTS_FAILED", id="every attempt failed"),
    pytest.param(["--tag", "colour=red"], 1, "allowed are customer", id="tag that is not allowed"),
    pytest.param(["--model", "loop/slow-2000", "--timeout", "0.2"], 1, "--timeout", id="too slow"),
    pytest.param(["--address", "127.0.0.1:1"], 3, "no sidecar answers at 127.0.0.1:1", id="nobody there"),
    pytest.param(["--operation", "divination"], 2, "chat, completion", id="unknown operation"),
    pytest.param(["--operation", "embedding", "--stream"], 2, "chat only", id="stream of an embedding"),
    pytest.param(["--tag", "team"], 2, "KEY=VALUE", id="tag without a value"),
    pytest.param(["--alias", "smart", "--task", "fast"], 2, "one destination", id="two destinations"),
    pytest.param(["--recovery", "pray"], 2, "error, restart, buffer", id="unknown recovery"),
    pytest.param(["--max-tokens", "many"], 2, "--max-tokens", id="not a number"),
]


@pytest.mark.parametrize(("options", "code", "says"), REFUSED)
def test_what_does_not_work_is_told_in_the_exit_code_and_one_message(
    shell: Shell, options: list[str], code: int, says: str
) -> None:
    done = shell.run("invoke", "hello", *options)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err


def test_an_empty_prompt_is_not_sent(shell: Shell) -> None:
    done = shell.run("invoke", "-", stdin=" \n")
    assert (done.code, done.err) == (2, "error: nothing to ask: the prompt is empty\n")


def test_without_a_sidecar_it_says_how_to_start_one(nowhere: Shell) -> None:
    done = nowhere.run("invoke", "hello")
    assert done.code == 3
    assert "taximeter up" in done.err


@pytest.mark.parametrize(
    "command", ["keys list", "aliases list", "budgets list", "tokens whoami", "workspaces list", "audit"]
)
def test_a_sidecar_that_is_older_than_a_command_is_to_be_updated(nowhere: Shell, command: str) -> None:
    with served(FakeSidecar()) as address:
        done = nowhere.run(*command.split(), TAXIMETER_ADDRESS=address)
    assert (done.code, done.out) == (1, "")
    assert "is older than this command" in done.err
    assert done.err.count("\n") == 1


def test_providers_lists_what_is_set_up_and_names_the_rest(shell: Shell) -> None:
    done = shell.run("providers")
    rows = [line.split()[:4] for line in done.out.splitlines() if line.startswith("loop ")]
    assert rows == [["loop", "openai-compatible", "sk-...0000", "usable"]]
    assert "not set up: openai, anthropic" in done.out


def test_providers_as_json(shell: Shell) -> None:
    told = shell.run("providers", "--json").document
    assert "loop" in {each["name"] for each in told["providers"]}
    assert "sk-loopback" not in json.dumps(told)

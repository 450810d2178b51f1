"""`taximeter explain`: with a sidecar at work, and by the configuration alone."""

from __future__ import annotations

import pytest

from tests.support.cli import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("cli")


def test_the_plan_of_the_running_sidecar(shell: Shell, at_work: Stack) -> None:
    done = shell.run("explain", "--alias", "rescued")
    assert done.code == 0
    assert "Alias 'rescued': in the order of priority, weight and place (failover)." in done.out
    assert [line.split()[:2] for line in done.out.splitlines() if "loop/" in line] == [
        ["1", "loop/dead"], ["2", "loop/plain"],
    ]  # fmt: skip
    assert done.err == ""
    assert at_work.markers() == [], "nothing was called"


def test_as_json(shell: Shell) -> None:
    document = shell.run("explain", "--alias", "rescued", "--stream", "--prefer", "cost", "--json").document
    assert (document["source"], document["preference"], document["maxAttempts"]) == ("sidecar", "cost", 2)
    assert [each["target"]["model"] for each in document["targets"]] == ["dead", "plain"]


def test_the_error_that_a_call_would_get(shell: Shell) -> None:
    done = shell.run("explain", "--alias", "nobody")
    assert done.code == 0
    assert "the call would fail: Unknown alias 'nobody'." in done.out


def test_what_it_would_cost(shell: Shell, at_work: Stack) -> None:
    done = shell.run("explain", "--alias", "rescued", "--cost", "--max-tokens", "50")
    assert done.code == 0
    assert [line.split()[:5] for line in done.out.splitlines()[1:]] == [
        ["1", "loop/dead", "2", "50", "unknown"], ["2", "loop/plain", "2", "50", "unknown"],
    ]  # fmt: skip
    document = shell.run("explain", "--alias", "rescued", "--cost", "--json").document
    assert (document["source"], [each["inputTokens"] for each in document["estimates"]]) == ("sidecar", ["2", "2"])
    assert at_work.markers() == [], "nothing was called"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["--operation", "poem"], "no operation 'poem'", id="operation"),
        pytest.param(["--alias", "a", "--task", "b"], "name one destination", id="two-destinations"),
        pytest.param(["--capability", "poetry"], "capability='poetry': must be one of", id="capability"),
    ],
)
def test_held_wrong(shell: Shell, argv: list[str], said: str) -> None:
    done = shell.run("explain", *argv)
    assert done.code == 2
    assert said in done.err


def test_without_a_sidecar_the_configuration_answers_and_says_so(nowhere: Shell) -> None:
    done = nowhere.run("explain", "--alias", "default-writer", OPENAI_API_KEY="sk-0123456789abcdef")
    assert done.code == 0
    assert "openai/" in done.out
    assert "ANTHROPIC_API_KEY is not set" in done.out
    assert "No sidecar answers here: this is the plan by the configuration alone." in done.err
    assert "0123456789" not in done.out, "keys are masked"


def test_what_it_would_cost_without_a_sidecar(nowhere: Shell) -> None:
    asked = ("explain", "--model", "openai/gpt-4o-mini", "--cost", "--json", "--max-tokens", "100")
    (found,) = nowhere.run(*asked, OPENAI_API_KEY="sk-0123456789ab").document["estimates"]
    assert (found["priceSource"], found["costUsd"]) == ("genai-prices", "0.0000603")


def test_without_a_sidecar_as_json(nowhere: Shell) -> None:
    document = nowhere.run("explain", "--capability", "embedding", "--json", OPENAI_API_KEY="sk-0123456789ab").document
    assert (document["source"], document["operation"]) == ("configuration", "embedding")
    assert document["targets"][0]["target"]["provider"] == "openai"


def test_a_sidecar_that_is_named_has_to_be_there(nowhere: Shell) -> None:
    done = nowhere.run("explain", "--address", "127.0.0.1:1")
    assert (done.code, done.err) == (3, "error: no sidecar answers at 127.0.0.1:1\n")

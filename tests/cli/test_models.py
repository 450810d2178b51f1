"""`taximeter models` against a sidecar at work and a fake Ollama: real processes, real gRPC."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cli import TAXIMETER, Shell
from tests.support.stack import Stack, stack, until

MISSING = "Model not found: 'nope'"


@pytest.fixture(scope="module")
def kept() -> Iterator[Stack]:
    with stack() as built:
        ready = built.folder / "ollama.ready"
        built.run("ollama", "tests.support.fakeollama", str(ready))
        until(lambda: ready.is_file() and ready.read_text().endswith("\n"), "the fake Ollama is up")
        built.env |= {
            "OLLAMA_BASE_URL": f"{ready.read_text().strip()}/v1",
            "AI_OLLAMA2_URL": "http://127.0.0.1:9",
            "AI_OLLAMA2_SMART": "m",
        }
        built.sidecar()
        yield built


@pytest.fixture(scope="module")
def ollama_shell(kept: Stack) -> Shell:
    return Shell(kept.env, kept.cwd)


def test_list(ollama_shell: Shell) -> None:
    done = ollama_shell.run("models", "list")
    assert done.code == 0
    header, row = done.out.splitlines()
    assert header.split() == ["model", "size", "parameters", "quantization", "family", "modified"]
    assert row.split()[:6] == ["small:latest", "1.2", "GiB", "1.2B", "Q4_K_M", "llama"]


def test_list_as_json(ollama_shell: Shell) -> None:
    (model,) = ollama_shell.run("models", "list", "--json").lines
    assert (model["name"], model["sizeBytes"], model["quantization"]) == ("small:latest", "1300000000", "Q4_K_M")


def test_show(ollama_shell: Shell) -> None:
    done = ollama_shell.run("models", "show", "small:latest")
    assert done.code == 0
    assert "8192 tokens" in done.out
    assert "completion, tools" in done.out


def test_show_as_json(ollama_shell: Shell) -> None:
    shown = ollama_shell.run("models", "show", "small:latest", "--json").document
    assert (shown["contextTokens"], shown["capabilities"]) == ("8192", ["completion", "tools"])


def test_pull_and_delete(ollama_shell: Shell) -> None:
    done = ollama_shell.run("models", "pull", "new")
    assert (done.code, done.out) == (0, "new is there\n")
    assert done.err.splitlines() == ["pulling manifest", "pulling aa", "verifying sha256 digest", "success"]
    done = ollama_shell.run("models", "delete", "new:latest")
    assert (done.code, done.out) == (0, "new:latest is deleted\n")


def test_pull_as_json(ollama_shell: Shell) -> None:
    lines = ollama_shell.run("models", "pull", "new", "--json").lines
    assert lines[2] == {
        "status": "pulling sha256:aa",
        "digest": "sha256:aa",
        "totalBytes": "100",
        "completedBytes": "60",
    }
    assert lines[-1] == {"status": "success"}
    assert ollama_shell.run("models", "delete", "new:latest", "--json").document == {
        "model": "new:latest",
        "deleted": True,
    }


def test_pull_draws_a_bar_on_a_terminal(ollama_shell: Shell) -> None:
    shown = "\n".join(ollama_shell.on_terminal(100, "models", "pull", "new"))
    ollama_shell.run("models", "delete", "new:latest")
    assert "pulling aa" in shown
    assert "100/100 bytes" in shown
    assert "new is there" in shown


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        pytest.param(("show", "nope"), 1, MISSING, id="show a model that is not there"),
        pytest.param(("delete", "nope"), 1, MISSING, id="delete a model that is not there"),
        pytest.param(("pull", "nope"), 1, MISSING, id="pull a model that nobody has"),
        pytest.param(("pull", "huge"), 1, "The disk of ollama is full", id="disk full"),
        pytest.param(("pull", "cut"), 1, "ended the pull without saying that it is done", id="broken off"),
        pytest.param(("list", "--provider", "ollama2"), 1, "does not answer at http://127.0.0.1:9", id="not running"),
        pytest.param(("list", "--provider", "openai"), 1, "does not offer management of local", id="not an ollama"),
        pytest.param(("list", "--provider", "nobody"), 1, "Unknown provider 'nobody'", id="unknown account"),
        pytest.param(("list", "--address", "127.0.0.1:9"), 3, "no sidecar answers", id="no sidecar"),
        pytest.param(("pull",), 2, "Missing argument", id="no model named"),
    ],
)
def test_errors_say_what_to_do(ollama_shell: Shell, argv: tuple[str, ...], code: int, says: str) -> None:
    done = ollama_shell.run("models", *argv)
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_ctrl_c_stops_a_pull(kept: Stack) -> None:
    pull = subprocess.Popen(
        [*TAXIMETER, "models", "pull", "slow", "--json"],
        env=kept.env, cwd=kept.cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert pull.stdout is not None
    assert b"completedBytes" in pull.stdout.readline()
    os.kill(pull.pid, signal.SIGINT)
    _, said = pull.communicate(timeout=30)
    assert pull.returncode == 130
    assert b"`taximeter models pull slow` goes on where this ended" in said

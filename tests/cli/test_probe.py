"""`taximeter probe` and `providers --watch` against a running sidecar."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.support.cli import TAXIMETER, Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("cli")


def test_probe_asks_the_usable_providers(shell: Shell) -> None:
    done = shell.run("probe")
    assert done.code == 0
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [["loop", "ok"]]


def test_probe_as_json_leaves_no_call(shell: Shell, at_work: Stack) -> None:
    (told,) = shell.run("probe", "loop", "--json").lines
    assert (told["provider"], told["ok"]) == ("loop", True)
    assert at_work.markers() == []


def test_a_provider_that_is_not_set_up_says_what_is_missing(shell: Shell) -> None:
    done = shell.run("probe", "openai")
    assert done.code == 1
    assert "OPENAI_API_KEY is not set" in done.out


def test_an_unknown_provider_is_refused(shell: Shell) -> None:
    done = shell.run("probe", "nobody")
    assert done.code == 1
    assert done.err.endswith("usable: loop (UNKNOWN_PROVIDER)\n")


def test_watching_shows_the_whole_first_and_ends_with_ctrl_c(shell: Shell) -> None:
    watching = subprocess.Popen(
        [*TAXIMETER, "providers", "--watch", "--json"], env=dict(shell.env), cwd=shell.cwd, stdout=subprocess.PIPE
    )
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    assert "loop" in {each["provider"] for each in first["accounts"]}
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130
    watching.stdout.close()

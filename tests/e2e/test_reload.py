"""A real sidecar takes up another configuration while it works; a bad one changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sidecar.commands.parts import free_port
from taximeter import errors
from tests.support.cli import Shell
from tests.support.reloading import SLOW, Reloading
from tests.support.stack import Process, stack, until

BAD = 'rotation = 1\n[system]\ngrace = "soon"\n[aliases.other]\nchain = ["nobody/x"]\n'
AT_FAULT = {"aliases.mine.rotation", "system.grace", "aliases.other.chain[0]"}
Begin = Callable[..., tuple[Reloading, Process]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """`begin(TAXIMETER_...=...)` -> a serving sidecar whose alias `mine` leads to `one`."""
    with ExitStack() as left:

        def make(**env: str) -> tuple[Reloading, Process]:
            scene = Reloading(left.enter_context(stack(**env)))
            left.callback(scene.client.close)
            scene.write('["one"]')
            return scene, scene.stack.sidecar()

        yield make


def test_a_changed_file_takes_effect_and_a_stream_in_flight_keeps_its_plan(begin: Begin) -> None:
    scene, _ = begin(TAXIMETER_RELOAD_INTERVAL="50ms")
    scene.write(f'["one/{SLOW}"]')
    scene.until_generation(2)
    with scene.client.stream("hello", alias="mine") as stream:
        events = iter(stream)
        next(events)
        scene.write('["two"]')
        scene.until_generation(3)
        assert scene.served_by() == "two"
        under_way = stream.metering is None
        assert under_way
        for _ in events:
            pass
    assert stream.metering is not None
    assert (stream.metering.provider, stream.metering.usage.output_tokens) == ("one", 40)


def test_a_bad_file_is_refused_with_every_error_and_the_old_one_serves(begin: Begin) -> None:
    scene, _ = begin(TAXIMETER_RELOAD_INTERVAL="50ms")
    scene.write('["two"]', BAD)
    until(lambda: scene.status().errors, "the reload is refused")
    status = scene.status()
    assert {error.split(": ")[1] for error in status.errors} == AT_FAULT
    assert status.generation == 1
    assert scene.served_by() == "one"
    scene.write('["two"]')
    scene.until_generation(2)
    assert scene.served_by() == "two"
    assert not scene.status().errors


def test_by_signal_by_request_and_by_command(begin: Begin) -> None:
    scene, process = begin(TAXIMETER_RELOAD_INTERVAL="off")
    shell = Shell(scene.stack.env, scene.stack.cwd)
    scene.write('["two"]', '[system]\nmax_message = "1MiB"\n')
    would = shell.run("reload", "--dry-run", "--json")
    assert (would.code, would.document["changes"]) == (0, ["alias mine: failover: one/plain -> failover: two/plain"])
    assert would.document["needsRestart"] == ["TAXIMETER_MAX_MESSAGE: 16777216 -> 1048576"]
    assert scene.served_by() == "one"
    process.popen.send_signal(signal.SIGHUP)
    scene.until_generation(2)
    assert scene.served_by() == "two"
    scene.write('["one", "two"]')
    assert scene.client.reload().generation == 3
    scene.write('["two"]', BAD)
    with pytest.raises(errors.InvalidConfiguration) as refused:
        scene.client.reload()
    assert {where for where, _ in refused.value.violations} == {f"taximeter.toml: {path}" for path in AT_FAULT}
    assert scene.served_by() == "one"
    assert process.stop() == 0


@pytest.mark.parametrize("bad", [BAD, "nonsense"], ids=["mistakes", "not-toml"])
def test_the_command_line_reaches_a_sidecar_whose_files_are_bad_now(begin: Begin, bad: str) -> None:
    """A health check that failed would have the orchestrator end a sidecar that serves well."""
    scene, _ = begin(TAXIMETER_RELOAD_INTERVAL="off")
    shell = Shell(scene.stack.env, scene.stack.cwd)
    scene.write('["one"]', bad)
    refused = shell.run("reload")
    assert (refused.code, "stays as it was" in refused.err) == (2, True)
    assert shell.run("health", "sidecar").code == 0
    assert shell.run("invoke", "hello", "--alias", "mine").code == 0


@pytest.mark.timeout(120)
@pytest.mark.xdist_group("heavy")
def test_up_passes_sighup_on_to_its_sidecar() -> None:
    with stack(TAXIMETER_RELOAD_INTERVAL="off", TAXIMETER_DASHBOARD_PORT=str(free_port())) as running:
        scene = Reloading(running)
        scene.write('["one"]')
        up = running.run("up", "sidecar", "up", "--no-embedded-model")
        until(lambda: "Ctrl-C stops everything." in up.said() or up.popen.poll() is not None, "up is ready", 60)
        scene.write('["two"]')
        up.popen.send_signal(signal.SIGHUP)
        scene.until_generation(2)
        assert scene.served_by() == "two"
        scene.client.close()
        assert up.stop(40) == 0

"""Commands with nothing running: help, configuration, doctor, the books at rest, and what `up` refuses."""

import socket
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sidecar.cli import app
from tests.support.cli import TAXIMETER, Shell

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["config"], ["config", "show"]], ids=" ".join)
def test_every_command_explains_itself(tmp_path: Path, command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


HEAVY = ("grpc", "duckdb", "pyarrow", "polars", "streamlit", "httpx")


@pytest.mark.parametrize(("module", "needed"), [("sidecar.cli", []), ("sidecar.commands.up", ["grpc"])])
def test_neither_help_nor_up_imports_what_the_processes_do(module: str, needed: list[str]) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([TAXIMETER[0], "-c", code], check=True, capture_output=True).stdout == f"{needed}\n".encode()


def test_config_show_masks_secrets_and_names_origins(nowhere: Shell) -> None:
    done = nowhere.run("config", "show", OPENAI_API_KEY="sk-verysecretvalue1234")
    assert done.code == 0
    assert "sk-...1234" in done.out
    assert "verysecret" not in done.out + done.err
    assert "OPENAI_API_KEY" in done.out


def test_config_show_as_json(nowhere: Shell) -> None:
    lines = nowhere.run("config", "show", "--json", TAXIMETER_MAX_CALLS="7").document["lines"]
    assert {"section": "system", "name": "TAXIMETER_MAX_CALLS", "value": "7", "origin": "TAXIMETER_MAX_CALLS"} in lines


@pytest.mark.parametrize("command", ["up", "calls"])
def test_a_broken_configuration_is_told_whole_and_nothing_starts(nowhere: Shell, command: str) -> None:
    done = nowhere.run(command, TAXIMETER_MAX_CALLS="many", TAXIMETER_GRACE="soon")
    assert (done.code, done.out) == (2, "")
    assert [line.split(":")[1].strip() for line in done.err.splitlines()] == ["TAXIMETER_GRACE", "TAXIMETER_MAX_CALLS"]


@pytest.mark.parametrize("command", ["calls", "export"])
def test_without_books_it_says_what_to_do(nowhere: Shell, command: str) -> None:
    done = nowhere.run(command)
    assert done.code == 3
    assert "no ledger yet" in done.err


def test_there_is_nothing_to_back_up_in_a_home_that_is_not(nowhere: Shell) -> None:
    assert nowhere.run("backup", "copy").code == 1
    assert not (nowhere.cwd / "copy").exists()
    assert not (nowhere.cwd / "home").exists()


PORTS = [("TAXIMETER_LISTEN", "127.0.0.1:{}"), ("TAXIMETER_DASHBOARD_PORT", "{}"), ("TAXIMETER_PROMETHEUS_PORT", "{}")]


@pytest.mark.parametrize(("variable", "value"), PORTS)
def test_up_names_a_port_that_is_taken_and_starts_nothing(nowhere: Shell, variable: str, value: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = nowhere.run(
            "up", **{"TAXIMETER_LISTEN": "none", "TAXIMETER_DASHBOARD_PORT": "0", variable: value.format(port)}
        )
    assert (done.code, done.out) == (2, "")
    assert f"port {port} on 127.0.0.1 is in use" in done.err
    assert variable in done.err
    assert not (nowhere.cwd / "home" / "logs").exists()


def test_up_refuses_a_home_whose_sockets_would_have_too_long_a_path(nowhere: Shell) -> None:
    done = nowhere.run("up", TAXIMETER_HOME=str(nowhere.cwd / ("h" * 110)))
    assert done.code == 2
    assert "TAXIMETER_HOME" in done.err


def test_up_refuses_a_home_that_cannot_be_made(nowhere: Shell) -> None:
    (nowhere.cwd / "file").touch()
    done = nowhere.run("up", TAXIMETER_HOME=str(nowhere.cwd / "file" / "home"))
    assert done.code == 2
    assert "Set TAXIMETER_HOME" in done.err


def test_doctor_says_what_to_do_on_a_fresh_machine(nowhere: Shell) -> None:
    done = nowhere.run("doctor", TAXIMETER_LISTEN="127.0.0.1:0")
    assert done.code == 0
    assert "taximeter up" in done.out


def test_doctor_finds_an_address_that_is_taken(nowhere: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        done = nowhere.run("doctor", "--json", TAXIMETER_LISTEN=address)
    assert done.code == 1
    assert ("address", "wrong") in [(each["what"], each["verdict"]) for each in done.document]

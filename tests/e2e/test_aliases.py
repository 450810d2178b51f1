"""Aliases changed under a working sidecar: the next call has the change, and the books name the version it used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from taximeter import Client
from tests.support.cli import Shell
from tests.support.stack import Stack, stack, until


@contextmanager
def at_work() -> Iterator[tuple[Stack, Shell, Client]]:
    with stack() as built:
        built.provider()
        built.sidecar()
        built.bookkeeper()
        with Client(built.address) as client:
            yield built, Shell(built.env, built.cwd), client


def done(shell: Shell, *argv: str) -> None:
    ended = shell.run(*argv)
    assert ended.code == 0, ended.err


def test_a_task_gets_another_model_without_a_restart() -> None:
    """`smart` leads to `plain`, then elsewhere, and once its definition is deleted to `plain` again."""
    with at_work() as (_, shell, client):
        used: list[tuple[str, int]] = []
        ids: list[str] = []

        def call() -> None:
            metering = client.chat("hello", alias="smart").metering
            used.append((metering.model_requested, metering.alias_version))
            ids.append(metering.call_id)

        call()
        for target in ("loop/tokens-5", "loop/tokens-7"):
            done(shell, "aliases", "update", "smart", "--target", target)
            call()
        done(shell, "aliases", "delete", "smart")
        call()
        assert used == [("plain", 0), ("tokens-5", 1), ("tokens-7", 2), ("plain", 0)]

        until(lambda: len(shell.run("calls", "--json").lines) == 4, "all calls are in the books")
        rows = [shell.run("calls", call_id, "--json").document["call"] for call_id in ids]
        assert [(row["model"], row["alias_version"] or 0) for row in rows] == used


def test_an_alias_outlives_a_restart() -> None:
    with at_work() as (built, shell, client):
        done(shell, "aliases", "create", "writer", "--target", "loop/tokens-5", "--param", "temperature=0.5")
        sidecar = next(each for each in built.processes if "sidecar.log" in str(each.log))
        assert sidecar.stop() == 0
        built.sidecar()
        assert client.chat("again", alias="writer").metering.model_requested == "tokens-5"

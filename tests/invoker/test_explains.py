"""LOG_LEVEL=debug: every choice explains itself; nothing that a provider or caller has said is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidecar.core.catalog import Key
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on
from tests.support.rig import Rig

OK = on.answer("hello there")
DOWN = on.status(503, {"error": {"message": "the secret of the provider"}})


def lines(rig: Rig, event: str) -> list[dict[str, Any]]:
    return [values for name, values in rig.notes.lines if name == event]


async def test_a_plan_tells_candidates_order_and_who_was_passed_over(scene: MakeScene) -> None:
    rig, _ = await scene([OK], [OK])
    rig.health.reject_key("key-a")
    await rig.ask()
    (planned,) = lines(rig, "planned")
    assert planned["alias"] == "smart"
    assert planned["why"] == "Alias 'smart': in the order of priority, weight and place (failover)."
    assert planned["order"] == ["b/mb: first in the chain"]
    assert planned["skips"] == ["a/ma: KEY_REJECTED (key rejected)"]


async def test_each_move_is_told_with_its_reason(scene: MakeScene) -> None:
    rig, _ = await scene([DOWN], [on.status(429, retry_after="30")], [OK])
    await rig.ask()
    told = [
        (line["attempt"], line["target"], line["error"], line["http_status"], line["next"], line.get("reason"))
        for line in lines(rig, "after_fault")
    ]
    assert told == [
        (1, "a/ma", "server_error", 503, "a/ma again", None),
        (2, "a/ma", "server_error", 503, "b/mb", "PROVIDER_ERROR"),
        (3, "b/mb", "rate_limited", 429, "c/mc", "RATE_LIMITED"),
    ]
    assert lines(rig, "after_fault")[0]["after_s"] > 0
    assert lines(rig, "after_fault")[2]["retry_after_s"] == 30


async def test_an_end_is_told_too(scene: MakeScene) -> None:
    rig, _ = await scene([on.refusal(400, "the secret of the provider")])
    await rig.ask()
    (line,) = lines(rig, "after_fault")
    assert (line["next"], line["reason"]) == ("", "INVALID_REQUEST")


async def test_another_key_is_told(scene: MakeScene) -> None:
    rig, _ = await scene([on.status(401), OK])
    keys = (Key("one", "sk-number-one-0123"), Key("two", "sk-number-two-0123"))
    rig.catalog = replace(rig.catalog, accounts={"a": replace(rig.catalog.accounts["a"], keys=keys)})
    await rig.ask()
    (line,) = lines(rig, "after_fault")
    assert (line["next"], line["other_key"]) == ("a/ma again", True)


async def test_neither_provider_nor_caller_is_quoted(scene: MakeScene) -> None:
    rig, _ = await scene([DOWN], [on.refusal(400, "the secret of the provider")])
    await rig.ask()
    assert "secret" not in str(rig.notes.lines)
    assert "hello" not in str(rig.notes.lines)


async def test_nothing_is_put_into_words_that_nobody_reads(scene: MakeScene) -> None:
    rig, _ = await scene([DOWN], [OK])
    rig.explaining = False
    await rig.ask()
    assert rig.notes.lines == []

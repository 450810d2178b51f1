"""From a call that nobody knew the price of to books that agree, with real processes and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from taximeter import Client
from tests.support.cli import Done, Shell
from tests.support.stack import Stack, stack, until

param = pytest.param


@pytest.fixture(scope="module")
def at() -> Iterator[Stack]:
    with stack() as built:
        built.provider()
        built.sidecar()
        built.bookkeeper()
        yield built


class Desk:
    def __init__(self, at: Stack) -> None:
        self.at = at
        self.shell = Shell(at.env, at.cwd)

    def run(self, *argv: str) -> Done:
        done = self.shell.run(*argv)
        assert done.code == 0, done.err
        return done

    def call(self) -> Any:
        with Client(self.at.address) as client:
            return client.chat("hello", provider="loop", model="plain").metering

    def row(self, call_id: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def there() -> bool:
            done = self.shell.run("calls", call_id, "--json")
            found[:] = [done.document] if done.code == 0 else []
            return bool(found)

        until(there, "the ledger has the call")
        return found[0]


def test_an_unpriced_call_is_priced_afterwards(at: Stack) -> None:
    desk = Desk(at)
    before = desk.call()
    assert not before.cost.priced
    assert desk.row(before.call_id)["call"]["cost_usd"] is None

    price = desk.run("prices", "set", "loop", "pla*", "input=2", "output=8", "--source", "contract 4711", "--json")
    price_id = price.document["priceId"]
    after = desk.call()
    used = after.usage
    worth = used.input_tokens * 2_000_000 + used.output_tokens * 8_000_000
    assert (after.cost.price_source, after.cost.price_version) == ("override", price_id), "in force at once"
    assert after.cost.amount_picodollars == worth
    desk.row(after.call_id)

    dry = desk.run("prices", "rerate", "--since", "24h", "--unpriced-only", "--dry-run", "--json").document
    assert (dry["calls"], dry["changed"], dry["newlyPriced"]) == ("1", "1", "1")
    assert desk.row(before.call_id)["call"]["cost_usd"] is None, "nothing was done"

    asked = ("prices", "rerate", "--since", "24h", "--unpriced-only", "--reason", "the contract came late", "--yes")
    done = desk.run(*asked, "--json").document
    assert (done["calls"], done["changed"], Decimal(done["costAfterUsd"])) == ("1", "1", Decimal(worth).scaleb(-12))
    row = desk.row(before.call_id)
    assert Decimal(row["call"]["cost_usd"]) == Decimal(worth).scaleb(-12)
    assert (row["call"]["price_source"], row["call"]["price_version"]) == ("override", price_id)
    assert sum(Decimal(line["cost_usd"]) for line in row["costs"]) == Decimal(row["call"]["cost_usd"])

    total = desk.run("usage", "--since", "24h", "--json").document["total"]
    assert (Decimal(total["cost_usd"]), total["unpriced_calls"]) == (2 * Decimal(worth).scaleb(-12), 0)
    kept = revisions(at)
    assert kept == [(done["reratingId"], before.call_id, False, None, True, "the contract came late", "local")]
    assert desk.run(*asked, "--json").document.get("changed", "0") == "0", "done is done"
    actions = [entry["action"] for entry in desk.run("audit", "--json").lines]
    assert {"price.set", "price.rerate"} <= set(actions)


def revisions(at: Stack) -> list[tuple[Any, ...]]:
    import grpc
    import pyarrow as pa

    from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc

    sql = "SELECT rerating_id, call_id, old_priced, old_cost_usd, priced, reason, actor FROM ai_cost_revisions"
    with grpc.insecure_channel(f"unix:{at.home / 'bookkeeper.sock'}") as channel:
        answer = ledger_pb2_grpc.LedgerServiceStub(channel).Query(ledger_pb2.QueryRequest(sql=sql), timeout=10)
        data = b"".join(part.arrow_ipc for part in answer)
    return [tuple(row.values()) for row in pa.ipc.open_stream(data).read_all().to_pylist()]


def test_prices_are_listed_compared_and_taken_away(at: Stack) -> None:
    desk = Desk(at)
    made = desk.run("prices", "set", "openai", "gpt-4o-mini", "input=0.3", "output=0.6", "input@200000=0.9", "--json")
    price_id = made.document["priceId"]
    assert price_id in desk.run("prices", "overrides", "--wide").out
    listed = desk.run("prices", "list", "openai", "gpt-4o-mini", "--json").document
    assert (listed["source"], listed["version"]) == ("override", price_id)
    told = desk.run("prices", "compare", "--wide").out
    assert [line.split() for line in told.splitlines() if line.startswith("openai/gpt-4o-mini")] == [
        ["openai/gpt-4o-mini", "cache_read", "0.075", "-", "+300.0"],
        ["openai/gpt-4o-mini", "cache_read", "above", "200000", "0.075", "-", "+1100.0"],
        ["openai/gpt-4o-mini", "input", "0.15", "0.3", "+100.0"],
        ["openai/gpt-4o-mini", "input", "above", "200000", "0.15", "0.9", "+500.0"],
    ]  # fmt: skip
    desk.run("prices", "remove", price_id)
    assert desk.run("prices", "list", "openai", "gpt-4o-mini", "--json").document["source"] == "genai-prices"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        param(["set", "loop", "m", "inputs=1"], "unknown key 'inputs'", id="no-such-meter"),
        param(["set", "loop", "m", "input=cheap"], "must be an amount in US dollars", id="no-amount"),
        param(["set", "loop", "m", "input"], "is no rate", id="no-rate"),
        param(["set", "loop", "m", "input=1", "--effective", "soon"], "must be a date", id="no-day"),
        param(["remove", "prc_none"], "There is no price", id="no-such-price"),
        param(["rerate", "--since", "24h"], "say --reason", id="no-reason"),
        param(["rerate", "--since", "24h", "--reason", "x"], "say --yes", id="nobody-to-ask"),
        param(["compare", "--table", "none.toml"], "No such file", id="no-table"),
    ],
)
def test_held_wrong(at: Stack, argv: list[str], said: str) -> None:
    done = Desk(at).shell.run("prices", *argv)
    assert done.code in (1, 2)
    assert said in " ".join(done.err.split())

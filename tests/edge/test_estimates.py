"""EstimateCost over the wire: what a call would come to, without a call; and what the catalogue says of models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.call import Capability, Operation, Target
from sidecar.core.catalog import Account, Alias, Catalog, Key, Route
from sidecar.core.clock import Clock
from sidecar.edge.catalog_models import models, prices
from sidecar.pricing import Pricing
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2, payload_pb2
from tests.support.served import Served, served

param = pytest.param
DOLLAR = 10**12
PRICES = """
[[price]]
provider = "a"
model = "chatty"
effective = 2026-01-01
input = 2
output = 8
requests = "0.01"
"""


def account(name: str, **values: Any) -> Account:
    told: dict[str, Any] = {
        "keys": (Key(f"key-{name}", f"sk-secret-of-account-{name}"),),
        "operations": frozenset({Operation.CHAT, Operation.EMBEDDING}),
        "capabilities": frozenset({Capability.CHAT, Capability.EMBEDDING, Capability.IMAGE_GENERATION}),
    }
    return Account(name, name, "openai", "http://127.0.0.1:1", **(told | values))


ACCOUNTS = {
    "a": account("a", default_models={"smart": "chatty", "embedding": "vector", "image": "brush"}),
    "b": account("b"),
    "free": account("free", declared_price_zero=True, needs_key=False, keys=()),
}
CATALOG = Catalog(
    ACCOUNTS,
    {
        "text": Alias("text", tuple(Route(Target(*each)) for each in (("a", "chatty"), ("b", "new"), ("free", "own")))),
        "short": Alias("short", (Route(Target("a", "chatty")),), max_tokens=100),
        "art": Alias("art", (Route(Target("a", "easel")),), operation=Operation.IMAGE_GENERATE),
        "closed": Alias("closed", (Route(Target("gone", "x")),)),
    },
)


@pytest.fixture
def pricing(tmp_path: Path) -> Pricing:
    (tmp_path / "prices.toml").write_text(PRICES)
    return Pricing(tmp_path / "prices.toml")


@pytest.fixture
async def at(pricing: Pricing) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(served(CATALOG, pricing=pricing))


Ask = Callable[..., Any]


async def estimate(at: Served, prompt: str = "x" * 394, **spec: Any) -> pb.EstimateCostResponse:
    chat = payload_pb2.ChatRequest(prompt=prompt, **spec.pop("chat", {}))
    request = pb.EstimateCostRequest(call=invocation_pb2.CallSpec(chat=chat, **spec))
    ended = await at.raw("taximeter.v1.CatalogService/EstimateCost", request)
    assert ended.code == "OK", ended.message
    return pb.EstimateCostResponse.FromString(ended.answer)


async def test_what_a_call_would_cost_at_each_target(at: Served) -> None:
    found = await estimate(at, alias="text", chat={"max_tokens": 1000})
    priced, unpriced, free = found.estimates
    assert (priced.target.provider, priced.target.model) == ("a", "chatty")
    assert (priced.input_tokens, priced.output_tokens) == (100, 1000), "bytes / 4, and what the call allows"
    assert priced.cost_picodollars == 100 * 2_000_000 + 1000 * 8_000_000 + DOLLAR // 100
    assert (priced.cost_usd, priced.price_source) == ("0.0182", "override")
    assert priced.price_version.endswith("@2026-01-01")
    assert not unpriced.HasField("cost_picodollars")
    assert (unpriced.cost_usd, unpriced.price_source, unpriced.HasField("bound_picodollars")) == ("", "", False)
    assert (free.cost_picodollars, free.cost_usd, free.price_source) == (0, "0", "declared")


async def test_the_bound_is_what_a_budget_would_hold(at: Served) -> None:
    (found,) = (await estimate(at, target={"provider": "a", "model": "chatty"}, chat={"max_tokens": 1000})).estimates
    tokens_in = payload_pb2.ChatRequest(prompt="x" * 394, max_tokens=1000).ByteSize()
    assert found.bound_picodollars == tokens_in * 2_000_000 + 1000 * 8_000_000 + DOLLAR // 100 + 8
    assert found.bound_picodollars >= found.cost_picodollars


async def test_each_choice_is_counted(at: Served) -> None:
    (found,) = (await estimate(at, alias="short", chat={"choice_count": 3, "max_tokens": 50})).estimates
    assert found.output_tokens == 150


async def test_no_more_output_than_the_alias_allows(at: Served) -> None:
    (found,) = (await estimate(at, alias="short")).estimates
    assert found.output_tokens == 100


async def test_a_call_that_would_fail_is_told_so(at: Served) -> None:
    found = await estimate(at, alias="closed")
    assert (list(found.estimates), found.error_reason) == ([], "NO_PROVIDER_AVAILABLE")
    assert found.error_message


async def test_nothing_is_sent_and_nothing_written(at: Served) -> None:
    await estimate(at, alias="text")
    assert (at.records, at.rig.book.begun) == ([], 0)


@pytest.mark.parametrize(
    ("model", "capabilities", "modalities"),
    [
        param("chatty", ["CHAT"], ["text"], id="a-default-of-chat"),
        param("vector", ["EMBEDDING"], ["text"], id="of-embedding"),
        param("brush", ["IMAGE_GENERATION"], ["image"], id="of-images"),
        param("easel", ["IMAGE_GENERATION"], ["image"], id="named-by-an-alias-of-images"),
    ],
)
def test_what_a_model_is_for(pricing: Pricing, model: str, capabilities: list[str], modalities: list[str]) -> None:
    (found,) = [each for each in models(CATALOG, pricing, pb.ListModelsRequest(provider="a")).models
                if each.ref.model == model]  # fmt: skip
    assert list(map(invocation_pb2.Capability.Name, found.capabilities)) == [f"CAPABILITY_{c}" for c in capabilities]
    assert list(found.modalities) == modalities


def test_a_model_comes_with_its_price_and_whence_it_is(pricing: Pricing) -> None:
    first, *others = models(CATALOG, pricing, pb.ListModelsRequest(provider="a")).models
    price = first.price
    assert first.priced
    assert {line.meter: line.price_per_million_picodollars for line in price.rates}["output"] == 8 * DOLLAR
    assert (price.source, price.dated) == ("override", "2026-01-01")
    assert price == prices(CATALOG, pricing, pb.ListPricesRequest(provider="a")).prices[0]
    assert not any(each.HasField("price") for each in others)


def test_what_is_published_of_a_model(pricing: Pricing) -> None:
    openai = account("openai", price_provider="openai", default_models={"smart": "gpt-4o-mini"})
    seen = replace(CATALOG, accounts={"openai": openai}, aliases={})
    (found,) = models(seen, Pricing(None, Clock()), pb.ListModelsRequest()).models
    assert (found.context_tokens, found.max_output_tokens, found.price.source) == (128_000, 16_384, "genai-prices")

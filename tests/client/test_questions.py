"""What both clients ask beside calls, against a real gRPC server that answers from a script."""

from __future__ import annotations

import inspect

import pytest

from taximeter import AsyncClient, Client
from taximeter.aio_questions import AsyncQuestions
from taximeter.asking import UsageStats, usage_stats
from taximeter.questions import Questions
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import usage_pb2
from tests.support.fakesidecar import FakeSidecar


def test_usage_stats_count_calls_by_provider() -> None:
    rows = [
        usage_pb2.UsageRow(group={"provider": "openai"}, calls=3),
        usage_pb2.UsageRow(group={"provider": "groq"}, calls=2),
        usage_pb2.UsageRow(group={"provider": ""}, calls=1),
    ]
    assert usage_stats(usage_pb2.QueryUsageResponse(rows=rows)) == UsageStats(6, {"openai": 3, "groq": 2, "": 1})


def test_each_question(client: Client, fake: FakeSidecar) -> None:
    assert client.usage_stats().total_requests == 2
    assert client.find_best_provider("code_generation", routing_preference="cost").why == "its turn"
    assert fake.asked[-1].capability == pb.CAPABILITY_CODE_GENERATION
    assert fake.asked[-1].routing_preference == pb.ROUTING_PREFERENCE_COST
    assert client.get_cheapest_model("chat", free_only=True).price_source == "declared"
    assert fake.asked[-1].free_only
    assert client.probe("openai").models == ["openai-1"]
    assert client.explain("hello", alias="smart", streamed=True).why == "streamed"
    assert fake.specs[-1].chat.prompt == "hello"
    assert client.estimate_cost("hello", alias="smart").estimates[0].cost_usd == "0.000123"
    assert fake.asked[-1].call.alias == "smart"
    assert list(client.reload(dry_run=True).changes) == ["dry"]
    assert client.models("openai").models == []


async def test_each_question_async(aclient: AsyncClient) -> None:
    assert (await aclient.usage_stats()).total_requests == 2
    assert (await aclient.find_best_provider("chat")).why == "its turn"
    assert (await aclient.get_cheapest_model("chat")).price_source == "declared"
    assert (await aclient.probe("openai")).ok
    assert (await aclient.explain("hello", alias="smart")).alias == "smart"
    assert (await aclient.estimate_cost("hello", alias="smart")).estimates[0].input_tokens == 3
    assert (await aclient.reload()).generation == 2


def test_health_is_watched_until_the_loop_is_left(client: Client) -> None:
    assert [seen.targets[0].requests for seen in client.watch_health()] == [3, 4]


async def test_health_is_watched_async(aclient: AsyncClient) -> None:
    assert [seen.targets[0].requests async for seen in aclient.watch_health()] == [3, 4]


def test_local_models_are_managed(client: Client, fake: FakeSidecar) -> None:
    assert [model.name for model in client.local_models()] == ["llama3.2"]
    assert client.show_model("llama3.2").model.name == "llama3.2"
    assert [progress.completed_bytes for progress in client.pull_model("codellama")] == [1, 2]
    client.delete_model("llama2", provider="ollama2")
    assert (fake.asked[-1].provider, fake.asked[-1].model) == ("ollama2", "llama2")


async def test_local_models_are_managed_async(aclient: AsyncClient) -> None:
    assert [progress.completed_bytes async for progress in aclient.pull_model("codellama")] == [1, 2]
    assert [model.name for model in await aclient.local_models()] == ["llama3.2"]


@pytest.mark.parametrize("ask", ["find_best_provider", "get_cheapest_model"])
def test_an_unknown_capability_is_told_with_the_known_ones(client: Client, ask: str) -> None:
    with pytest.raises(TypeError, match="must be one of text_generation, chat"):
        getattr(client, ask)("divination")


def test_both_clients_ask_the_same_questions_in_the_same_words() -> None:
    def questions(of: type) -> dict[str, list[str]]:
        found = inspect.getmembers(of, inspect.isfunction)
        return {name: list(inspect.signature(ask).parameters) for name, ask in found if not name.startswith("_")}

    assert questions(Questions) == questions(AsyncQuestions)

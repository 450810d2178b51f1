"""Answers that stand elsewhere, or are not there yet: Replicate through the invoker and a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import CallStatus, Target, Usage, UsageSource
from sidecar.core.catalog import Alias, Catalog, Key, Route
from sidecar.invoker import CallFailed, Outcome
from sidecar.providers.wire import HttpRequest
from tests.support.predictions import (
    CREATE_PATH,
    METRICS,
    POLL,
    STREAM,
    Predictions,
    breaking,
    failing,
    heard,
    predicting,
    told,
)
from tests.support.providers import account
from tests.support.rig import SCALE, Rig, text_of

CREATED = told("starting", code=201)
SAID = heard(("output", "Hel"), ("output", "lo"), ("done", "{}"))
DONE = told("succeeded", output=["Hel", "lo"], metrics=METRICS)
USED = Usage(input=4, output=2, seconds=0.5)

MakeRig = Callable[[Predictions], Rig]


@pytest.fixture
async def rig_for() -> AsyncIterator[MakeRig]:
    rigs: list[Rig] = []

    def make(played: Predictions) -> Rig:
        url = f"http://127.0.0.1:{played.port}/v1"
        target = account("replicate", name="a", base_url=url, keys=(Key("k", "r8_secret"),))
        alias = Alias("smart", (Route(Target("a", "meta/llama")),))
        rigs.append(Rig(Catalog(accounts={"a": target}, aliases={"smart": alias}, time_scale=SCALE)))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.transport.close()


async def test_a_unary_call_polls_until_the_prediction_is_done(rig_for: MakeRig) -> None:
    async with predicting(CREATED, told("processing"), DONE) as played:
        rig = rig_for(played)
        outcome = await rig.ask()
    assert isinstance(outcome, Outcome)
    assert outcome.payload.choices[0].message.text == "Hello"
    assert played.lines == [f"POST {CREATE_PATH}", POLL, POLL]
    assert {hit.headers["authorization"] for hit in played.hits} == {"Bearer r8_secret"}
    assert (rig.record.usage, rig.record.usage_source) == (USED, UsageSource.REPORTED)


async def test_a_stream_is_followed_to_its_address_and_metered_at_ours(rig_for: MakeRig) -> None:
    """The address that the answer names gets no credentials; ours does."""
    async with predicting(CREATED, SAID, DONE) as played:
        rig = rig_for(played)
        events, failure = await rig.listen()
    assert failure is None
    assert text_of(events) == "Hello"
    assert played.lines == [f"POST {CREATE_PATH}", STREAM, POLL]
    assert [hit.headers.get("authorization") for hit in played.hits] == ["Bearer r8_secret", None, "Bearer r8_secret"]
    assert played.hits[1].headers["accept"] == "text/event-stream"
    assert (rig.record.usage, rig.record.attempts[0].finish_reasons) == (USED, ("succeeded",))


async def test_metrics_that_come_late_are_waited_for(rig_for: MakeRig) -> None:
    async with predicting(CREATED, SAID, told("processing"), DONE) as played:
        rig = rig_for(played)
        _, failure = await rig.listen()
    assert failure is None
    assert (len(played.hits), rig.record.usage) == (4, USED)


@pytest.mark.parametrize(
    "last", [pytest.param(failing(500), id="500"), pytest.param(breaking(), id="broken-connection")]
)
async def test_a_whole_stream_stays_whole_if_its_metrics_are_not_to_be_had(
    rig_for: MakeRig, last: Callable[[Predictions], tuple[int, str, bytes]]
) -> None:
    """What was said is estimated, and no second target is asked."""
    async with predicting(CREATED, SAID, last) as played:
        rig = rig_for(played)
        events, failure = await rig.listen()
    assert failure is None
    assert text_of(events) == "Hello"
    (attempt,) = rig.record.attempts
    assert (rig.record.status, rig.record.usage_source) == (CallStatus.OK, UsageSource.ESTIMATED)
    assert attempt.http_status == 200


async def test_a_model_without_streams_is_polled_for_a_streamed_call(rig_for: MakeRig) -> None:
    polled = told("succeeded", streams=False, output=["Hel", "lo"], metrics=METRICS)
    async with predicting(told("starting", streams=False, code=201), polled) as played:
        rig = rig_for(played)
        events, failure = await rig.listen()
    assert failure is None
    assert text_of(events) == "Hello"
    assert (played.lines, rig.record.usage) == ([f"POST {CREATE_PATH}", POLL], USED)


@pytest.mark.parametrize(
    "streamed",
    [
        pytest.param(heard(("output", "Hel"), ("done", '{"reason":"error"}')), id="told-to-have-failed"),
        pytest.param(heard(("output", "Hel")), id="ended-without-its-end"),
    ],
)
async def test_a_stream_that_breaks_is_no_success(
    rig_for: MakeRig, streamed: Callable[[Predictions], tuple[int, str, bytes]]
) -> None:
    async with predicting(CREATED, streamed) as played:
        events, failure = await rig_for(played).listen()
    assert text_of(events) == "Hel"
    assert isinstance(failure, CallFailed)
    assert failure.refusal.reason == "STREAM_BROKEN"


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest", "https://10.0.0.7:8443/p1", "https://localhost/p1"])
async def test_a_workspaces_server_does_not_lead_to_what_only_this_machine_reaches(rig_for: MakeRig, url: str) -> None:
    """A server of a workspace's own may answer whatever it likes."""
    async with predicting(told("starting", urls={"stream": url})) as played:
        rig = rig_for(played)
        (account,) = rig.catalog.accounts.values()
        rig.catalog = replace(rig.catalog, accounts={"a": replace(account, owner="default")})
        asked: list[str] = []
        stream = rig.transport.stream

        def noted(request: HttpRequest, **how: Any) -> Any:
            asked.append(request.url)
            return stream(request, **how)

        rig.transport.stream = noted  # type: ignore[method-assign]
        _, failure = await rig.listen()
    assert isinstance(failure, CallFailed)
    assert rig.record.attempts[0].error_type == "garbled"
    assert url not in asked


async def test_a_stream_elsewhere_must_be_https(rig_for: MakeRig) -> None:
    async with predicting(told("starting", urls={"stream": "http://elsewhere.test/p1"})) as played:
        rig = rig_for(played)
        _, failure = await rig.listen()
    assert isinstance(failure, CallFailed)
    assert rig.record.attempts[0].error_type == "garbled"
    assert set(played.lines) == {f"POST {CREATE_PATH}"}

"""The failover table as a specification: what providers do, and what becomes of the call.

Every scenario of `scenarios.py`, unary and streamed with each `stream_recovery`, with one fallback and with none: each
is one call through gRPC to a real sidecar process, booked by a real bookkeeper, its spans at a real OTLP receiver.
Waits are scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise

import pytest

from taximeter.v1 import metering_pb2
from tests.failover.flapping import FLAPPING
from tests.failover.play import PROMPT, Case, Played, Seen
from tests.failover.report import PAGE
from tests.failover.rows import OTHER, OTHER_MODEL, WHOLE
from tests.failover.scenarios import SCENARIOS
from tests.failover.table import SCALE, Scenario
from tests.support.otlp import attributes

pytestmark = [pytest.mark.xdist_group("failover"), pytest.mark.timeout(120)]

STATUSES = {
    "ALL_ATTEMPTS_FAILED": "UNAVAILABLE",
    "STREAM_BROKEN": "UNAVAILABLE",
    "INVALID_REQUEST": "INVALID_ARGUMENT",
    "CONTEXT_LENGTH_EXCEEDED": "INVALID_ARGUMENT",
    "CONTENT_FILTERED": "FAILED_PRECONDITION",
    "MODEL_NOT_FOUND": "NOT_FOUND",
}
AT_RISK = {"connection_reset", "ttft_timeout", "response_timeout", "stream_stalled", "stream_cut", "garbled",
           "answer_too_large"}  # fmt: skip
"""Sent, and nothing that could be read came back: nobody knows whether it is billed."""
BACK_OFF_S = 2.0
SLACK_S = 10.0
"""Of a machine with other things to do."""


def of_every_call(check: Callable[[Case, Seen], None]) -> Callable[[Scenario, Played], None]:
    """A fact of one call as a test of each scenario: it holds however it is asked, with and without a fallback."""

    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
    def test(scenario: Scenario, played: Played) -> None:
        for seen in played.of(scenario):
            try:
                check(seen.case, seen)
            except AssertionError as error:
                error.add_note(seen.case.name)
                raise

    test.__doc__ = check.__doc__
    return test


@of_every_call
def test_the_caller_gets_a_whole_answer_or_an_error(case: Case, seen: Seen) -> None:
    """Never a truncated answer as success; what a Restarted event voids is told by it."""
    cell = case.cell
    if cell.refusal:
        assert seen.error is not None
        assert (seen.error.reason, seen.error.code) == (cell.refusal, STATUSES[cell.refusal])
        assert not seen.finished
    else:
        assert seen.error is None
        assert seen.finished
        assert seen.text == {"a": WHOLE, "b": OTHER}[cell.served_by]
    assert len(seen.restarts) == cell.restarts
    assert (seen.voided != "") == cell.restarts
    assert WHOLE.startswith(seen.voided)


@of_every_call
def test_who_was_asked(case: Case, seen: Seen) -> None:
    """As the providers saw it; each was asked what the caller asked, and nothing of a half answer."""
    cell = case.cell
    reached = cell.tried.replace("a", "") if case.scenario.at else cell.tried
    assert (seen.tried, seen.asked) == (cell.tried, reached)
    for provider in seen.providers:
        for body in provider.bodies:
            (message,) = body.get("messages") or body.get("input") or body["contents"]  # as each wire calls it
            assert message["role"] == "user"
            parts = message.get("content") or message["parts"]
            assert parts in (PROMPT, [{"type": "text", "text": PROMPT}], [{"text": PROMPT}])


@of_every_call
def test_no_provider_is_hammered(case: Case, seen: Seen) -> None:
    """At most two tries in 1.5 s, a back-off of at least 0.2 s before the second unless the provider names a wait."""
    for provider in seen.providers:
        gaps_s = [gap_s / SCALE for gap_s in provider.gaps_s]
        assert all(sum(pair) >= 1.5 for pair in pairwise(gaps_s))
        if gaps_s and "Retry-After 0" not in case.scenario.name:
            assert min(gaps_s) >= 0.2


@of_every_call
def test_nothing_hangs(case: Case, seen: Seen) -> None:
    """A call takes the waits that the table grants, the back-offs, and no more; and no less than those waits."""
    cell = case.cell
    least_s = cell.waits_s * SCALE
    assert least_s * 0.98 <= seen.wall_s <= least_s * 1.05 + BACK_OFF_S * SCALE * len(cell.tried) + SLACK_S


@of_every_call
def test_the_ledger_has_the_call(case: Case, seen: Seen) -> None:
    """One row, and one for each attempt, with the reason that moved the call on."""
    cell = case.cell
    row = seen.row
    assert (row["status"], row["fallback_reason"]) == ("error" if cell.refusal else "ok", cell.moved)
    assert (row["fallback_used"], row["attempts"]) == (bool(cell.moved), len(cell.tried))
    assert "".join(attempt["provider"][-1] for attempt in seen.attempts) == cell.tried
    last = [attempt["status"] for attempt in seen.attempts].pop()
    assert [attempt["status"] for attempt in seen.attempts] == [*["failed"] * (len(cell.tried) - 1), last]
    assert last == ("failed" if cell.refusal else "ok")
    if not cell.refusal:
        assert row["provider"] == f"{case.alias}{cell.served_by}"
        assert row["model_reported"] == {"a": case.scenario.account.reports, "b": OTHER_MODEL}[cell.served_by]


@of_every_call
def test_what_each_attempt_costs(case: Case, seen: Seen) -> None:
    """Rejected: nothing. Sent in vain: nothing for sure. Broken off after content: estimated. Answered: as reported."""
    for attempt in seen.attempts:
        cost, at_risk = attempt["cost_usd"], attempt["cost_at_risk_usd"]
        free = case.scenario.account.free and attempt["provider"].endswith("a")
        if attempt["status"] == "ok":
            assert (cost > 0, at_risk) == (not free, 0)
            assert attempt["price_source"] == ("declared" if free else "genai-prices")
        elif attempt["chunks"]:
            assert (cost > 0, attempt["usage_source"]) == (not free, "estimated")
        else:
            risky = attempt["error_type"] in AT_RISK
            assert (cost, attempt["usage_source"]) == (0, "none")
            assert (attempt["maybe_billed"], at_risk > 0) == (risky, risky and not free)
    assert seen.row["cost_usd"] == sum(attempt["cost_usd"] for attempt in seen.attempts)


@of_every_call
def test_what_the_caller_is_told(case: Case, seen: Seen) -> None:
    """The fallback, its reason, each attempt: in the reply or in the error, and in GetCall for good."""
    cell = case.cell
    told = seen.metering
    assert (told.fallback_used, _reason(told)) == (bool(cell.moved), cell.moved)
    assert bool(told.fallback_message) == bool(cell.moved and not cell.refusal)
    failed = [attempt for attempt in told.attempts if attempt.status != "ok"]
    assert all(attempt.error_type for attempt in failed)
    for each in told.attempts:
        each.ClearField("message")  # the provider's own words are stored nowhere
    if seen.got is not None:
        assert _comparable(seen.got.metering) == _comparable(told)
        assert seen.got.status == seen.row["status"]


@of_every_call
def test_spans(case: Case, seen: Seen) -> None:
    """One span for the RPC, one for the call, and one for each stretch of attempts at one provider."""
    cell = case.cell
    stretches = ["".join(stretch) for _, stretch in groupby(cell.tried)]
    assert (len(seen.kind("SERVER")), len(seen.kind("INTERNAL"))) == (1, 1)
    clients = [attributes(span.attributes) for span in seen.kind("CLIENT")]
    assert [client["taximeter.provider"] for client in clients] == [f"{case.alias}{each[0]}" for each in stretches]
    failing = [bool(client.get("error.type")) for client in clients]
    assert failing == [True] * (len(stretches) - 1) + [bool(cell.refusal)]
    invoke = attributes(seen.kind("INTERNAL")[0].attributes)
    assert invoke.get("taximeter.fallback_reason", "") == cell.moved
    assert invoke["taximeter.attempts"] == len(cell.tried)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_page_has_each_scenario(scenario: Scenario) -> None:
    """docs/failover.md was written by this table: `python -m tests.failover.report`."""
    assert f"| {scenario.name} | " in PAGE.read_text(encoding="utf-8")


def _reason(told: metering_pb2.Metering) -> str:
    name = metering_pb2.FallbackReason.Name(told.fallback_reason).removeprefix("FALLBACK_REASON_")
    return "" if name == "UNSPECIFIED" else name


def _comparable(told: metering_pb2.Metering) -> metering_pb2.Metering:
    """Times are kept in microseconds."""
    kept = metering_pb2.Metering()
    kept.CopyFrom(told)
    for name in ("duration", "time_to_first_token", "overhead"):
        kept.ClearField(name)
    for attempt in kept.attempts:
        attempt.ClearField("duration")
        attempt.ClearField("started_at")
    return kept


def test_the_sixteen_classic_scenarios_are_all_here() -> None:
    names = {scenario.classic for scenario in SCENARIOS} - {""}
    assert len(names | {FLAPPING}) == 16

"""What attempts and calls come to: every row of contracts.md §4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import (
    NO_COST,
    UNPRICED,
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    Target,
    Usage,
    UsageSource,
)
from sidecar.invoker import abandoning
from sidecar.invoker.meter import NOTHING, Bill, Received, bill, total
from sidecar.pricing.estimate import ESTIMATOR_VERSION, estimate
from tests.support.rig import Tariff, catalog_of
from tests.support.routes import account, call

param = pytest.param
REPORTED, ESTIMATED, NONE = UsageSource.REPORTED, UsageSource.ESTIMATED, UsageSource.NONE
A = account("a")


def priced(amount: int) -> Cost:
    return Cost(True, amount, "test", "1")


def billed(**known: Any) -> Bill:
    values: dict[str, Any] = {"model": "m", "at_ns": 1} | known
    return bill(Received(A, **values), call(bytes_in=40), Tariff(), estimate)


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        param({"reported": Usage(input=3, output=4), "answered": True}, Bill(Usage(input=3, output=4), REPORTED, "",
              priced(11)), id="reported"),
        param({"reported": Usage(input=0, output=0), "answered": True}, Bill(Usage(input=0, output=0), REPORTED, "",
              priced(0)), id="an-explicit-zero-is-a-value"),
        param({"answered": True, "content_bytes": 8}, Bill(Usage(input=10, output=2), ESTIMATED, ESTIMATOR_VERSION,
              priced(14)), id="whole-answer-without-usage"),
        param({"content_bytes": 8, "maybe_billed": True}, Bill(Usage(input=10, output=2), ESTIMATED,
              ESTIMATOR_VERSION, priced(14)), id="content-then-cut"),
        param({"reported": Usage(input=3, output=1), "content_bytes": 8, "maybe_billed": True},
              Bill(Usage(input=3, output=1), REPORTED, "", priced(5)), id="content-then-cut-and-usage-told-so-far"),
        param({"reported": Usage(input=3, cache_read=2), "content_bytes": 8, "maybe_billed": True},
              Bill(Usage(input=3, cache_read=2, output=2), ESTIMATED, ESTIMATOR_VERSION, priced(7)),
              id="content-then-cut-and-only-input-told-so-far"),
        param({"reported": Usage(input=0), "content_bytes": 8, "maybe_billed": True},
              Bill(Usage(input=10, output=2), ESTIMATED, ESTIMATOR_VERSION, priced(14)),
              id="content-then-cut-and-a-provisional-zero"),
        param({"reported": Usage(seconds=2.5), "answered": True, "content_bytes": 8},
              Bill(Usage(seconds=2.5), REPORTED, "", priced(0)), id="a-whole-answer-is-billed-as-reported"),
        param({}, NOTHING, id="rejected"),
        param({"maybe_billed": True}, Bill(cost_at_risk_picodollars=1000, maybe_billed=True, tokens_at_risk=16_424),
              id="sent-and-no-answer"),
        param({"maybe_billed": True, "model": "unpriced"}, Bill(maybe_billed=True, tokens_at_risk=16_424),
              id="sent-and-no-answer-unpriced"),
        param({"reported": Usage(input=3), "model": "unpriced"}, Bill(Usage(input=3), REPORTED, "", UNPRICED),
              id="unpriced-is-not-zero"),
    ],
)  # fmt: skip
def test_attempt(known: dict[str, Any], wanted: Bill) -> None:
    assert billed(**known) == wanted


def attempt(cost: Cost = NO_COST, source: UsageSource = REPORTED, **values: Any) -> Attempt:
    made = Attempt(1, Target("a", "m"), "a", AttemptStatus.OK, 5, cost=cost, usage_source=source)
    return replace(made, **values)


LINES = (CostLine("input", 3, 10**6, 3),)


@pytest.mark.parametrize(
    ("attempts", "wanted"),
    [
        param([], NOTHING, id="none"),
        param([attempt(source=NONE)], NOTHING, id="nothing-used"),
        param([attempt(priced(7), usage=Usage(input=7))], Bill(Usage(input=7), REPORTED, "", priced(7)), id="one"),
        param([attempt(source=NONE), attempt(priced(7), usage=Usage(input=7))],
              Bill(Usage(input=7), REPORTED, "", priced(7)), id="a-rejected-one-adds-nothing"),
        param([attempt(priced(1), ESTIMATED, usage=Usage(input=1), estimator_version="e"),
               attempt(priced(7), usage=Usage(input=7, output=2))],
              Bill(Usage(input=8, output=2), ESTIMATED, "e", priced(8)), id="sums-and-one-estimate-marks-all"),
        param([attempt(replace(priced(1), lines=LINES)), attempt(replace(priced(2), lines=LINES))],
              Bill(Usage(), REPORTED, "", replace(priced(3), lines=LINES + LINES)), id="lines-of-both"),
        param([attempt(priced(1)), attempt(UNPRICED)], Bill(Usage(), REPORTED, "", UNPRICED), id="one-unpriced"),
        param([attempt(source=NONE, maybe_billed=True, cost_at_risk_picodollars=9), attempt(priced(2))],
              Bill(Usage(), REPORTED, "", priced(2), 9, True), id="what-is-at-risk-stays-apart"),
    ],
)  # fmt: skip
def test_call(attempts: list[Attempt], wanted: Bill) -> None:
    assert total(attempts) == wanted


def started(**values: Any) -> CallRecord:
    failed = attempt(source=NONE, status=AttemptStatus.FAILED, ended_ns=50)
    under_way = attempt(source=NONE, status=AttemptStatus.OPEN, number=2, started_ns=60, target=Target("a", "ma"))
    made = CallRecord(
        "01SIDECAR", 7, "01CALL", "default", "", "chat", False, CallStatus.OPEN, 10, 60, 50, "t", "s", "i",
        bytes_in=40, attempts=(failed, under_way),
    )  # fmt: skip
    return replace(made, **values)


def test_abandoned_is_estimated_and_maybe_billed() -> None:
    abandon = abandoning(catalog_of(["http://a.test"]), Tariff(), estimate)
    record = abandon(started())
    first, last = record.attempts
    assert (record.sidecar_id, record.seq, record.status, record.error_type) == (
        "01SIDECAR", 7, CallStatus.ABANDONED, "abandoned",
    )  # fmt: skip
    assert (first.status, last.status, last.maybe_billed) == (AttemptStatus.FAILED, AttemptStatus.ABANDONED, True)
    assert (record.usage, record.usage_source) == (Usage(input=10), ESTIMATED), "what came back nobody knows"
    assert (record.cost.amount_picodollars, record.cost_at_risk_picodollars, record.maybe_billed) == (10, 990, True)
    assert (record.ended_ns, record.duration_ns) == (60, 50)
    assert abandon(started()) == record, "the same start gives the same finish"


def test_abandoned_at_an_account_that_is_gone_is_unpriced() -> None:
    record = abandoning(catalog_of([]), Tariff(), estimate)(started())
    assert (record.cost.priced, record.cost.amount_picodollars, record.maybe_billed) == (False, None, True)
    assert record.attempts[-1].tokens_at_risk == 40 - 10 + 16_384, (
        "what budgets of tokens count is bounded all the same"
    )


def test_abandoned_at_a_workspaces_second_address_is_priced_as_at_the_first() -> None:
    call = started()
    own = replace(call.attempts[-1], target=Target("a2", "ma"), provider_type="a")
    record = abandoning(catalog_of(["http://a.test"]), Tariff(), estimate)(replace(call, attempts=(own,)))
    assert (record.cost.amount_picodollars, record.cost_at_risk_picodollars) == (10, 990)


def test_abandoned_after_a_cut_is_bounded_by_what_was_asked_for() -> None:
    call = started(max_tokens_granted=60)
    record = abandoning(catalog_of(["http://a.test"]), Tariff(), estimate)(call)
    assert record.attempts[-1].tokens_at_risk == 40 - 10 + 60

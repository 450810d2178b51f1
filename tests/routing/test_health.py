"""Breaker, cooling, keys and statistics, on a clock that tests turn."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core import faults
from sidecar.core.call import Target
from sidecar.core.catalog import BreakerPolicy
from sidecar.core.clock import Clock
from sidecar.core.faults import Fault
from sidecar.health import Breaker, Circuit, Health
from sidecar.health.health import MAX_TARGETS

A, B = Target("a", "m"), Target("b", "m")
DOWN = faults.ServerError("down")
POLICY = BreakerPolicy()


@dataclass
class Hands:
    """12:00:00Z, and the seconds passed since."""

    s: float = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: int((1_699_963_200 - 1000 + self.s) * 1e9), lambda: int(self.s * 1e9))


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def health(hands: Hands) -> Health:
    return Health(POLICY, hands.clock())


def fail(health: Health, times: int = 1, fault: Fault = DOWN, target: Target = A) -> None:
    for _ in range(times):
        health.failed(target, health.begin(target), fault)


def succeed(health: Health, times: int = 1, target: Target = A, seconds: float = 0.5) -> None:
    for _ in range(times):
        health.succeeded(target, health.begin(target), seconds, None)


def test_opens_on_five_in_a_row(health: Health) -> None:
    fail(health, 4)
    assert health.blocked(A) is None
    fail(health)
    blocked = health.blocked(A)
    assert blocked is not None
    assert (blocked.reason, blocked.detail, blocked.wait_s) == ("CIRCUIT_OPEN", "circuit open until 12:00:10Z", 10)


def test_a_success_breaks_the_row(health: Health) -> None:
    fail(health, 4)
    succeed(health)
    fail(health, 4)
    assert health.blocked(A) is None


def test_opens_on_half_of_ten(health: Health) -> None:
    for _ in range(4):
        succeed(health)
        fail(health)
    succeed(health)
    assert health.blocked(A) is None, "4 of 9"
    fail(health)
    assert health.blocked(A) is not None, "5 of 10"


def test_what_is_older_than_the_window_does_not_count(health: Health, hands: Hands) -> None:
    for _ in range(4):
        succeed(health)
        fail(health)
    hands.s += 31
    succeed(health)
    fail(health)
    assert health.blocked(A) is None


@pytest.mark.parametrize(
    "fault", [faults.RateLimited(), faults.BadRequest(), faults.ContentFiltered(), faults.KeyRejected()], ids=repr
)
def test_what_does_not_count(health: Health, fault: Fault) -> None:
    fail(health, 20, fault)
    assert health.blocked(A) is None


def test_each_target_has_its_own_circuit(health: Health) -> None:
    fail(health, 5)
    assert health.blocked(B) is None


def test_one_probe_at_a_time(health: Health, hands: Hands) -> None:
    fail(health, 5)
    assert health.begin(A) is Circuit.OPEN
    hands.s += 10
    assert health.blocked(A) is None
    probe = health.begin(A)
    assert probe is Circuit.HALF_OPEN
    assert health.begin(A) is Circuit.OPEN
    health.succeeded(A, probe, 0.1, None)
    assert health.begin(A) is Circuit.CLOSED


def test_probes_after_10_20_25_25_seconds_and_closes_on_success(health: Health, hands: Hands) -> None:
    """A breaker that never closes after recovery is a known bug elsewhere."""
    fail(health, 5)
    for wait_s in (10, 20, 25, 25):
        hands.s += wait_s - 0.01
        assert health.begin(A) is Circuit.OPEN
        hands.s += 0.01
        fail(health)
    hands.s += 25
    succeed(health)
    fail(health, 4)
    assert health.blocked(A) is None


def test_a_probe_that_tells_nothing_passes_its_turn_on(health: Health, hands: Hands) -> None:
    fail(health, 5)
    hands.s += 10
    health.released(A, health.begin(A))
    assert health.begin(A) is Circuit.HALF_OPEN


def test_calls_sent_before_it_opened_do_not_close_it(health: Health) -> None:
    early = health.begin(A)
    fail(health, 5)
    health.succeeded(A, early, 0.1, None)
    assert health.blocked(A) is not None


def test_cools_until_the_provider_said(health: Health, hands: Hands) -> None:
    fail(health, fault=faults.RateLimited(retry_after_s=7.0))
    blocked = health.blocked(A)
    assert blocked is not None
    assert (blocked.reason, blocked.detail, blocked.wait_s) == ("RATE_LIMITED", "rate limited until 12:00:07Z", 7)
    hands.s += 7
    assert health.blocked(A) is None


def test_a_rejected_key_is_aside_for_a_minute(health: Health, hands: Hands) -> None:
    health.reject_key("k")
    assert health.key_aside("k")
    assert not health.key_aside("other")
    hands.s += 60
    assert not health.key_aside("k")


def test_times_scale(hands: Hands) -> None:
    health = Health(POLICY, hands.clock(), time_scale=0.01)
    fail(health, 5)
    hands.s += 0.1
    assert health.begin(A) is Circuit.HALF_OPEN


def test_snapshot(health: Health, hands: Hands) -> None:
    for place in range(1, 101):
        health.succeeded(A, health.begin(A), place / 100, place / 1000)
    hands.s += 1
    fail(health, 5)
    (shown,) = health.snapshot()
    noon_ns = 1_699_963_200 * 10**9
    assert (shown.target, shown.circuit, shown.requests, shown.errors) == (A, Circuit.OPEN, 105, 5)
    assert shown.success_rate == pytest.approx(100 / 105)
    assert shown.mean_s == pytest.approx(0.505)
    assert (shown.p95_s, shown.p50_first_token_s) == (0.96, 0.051)
    assert (shown.last_used_ns, shown.last_error_ns, shown.last_error_type) == (noon_ns + 10**9,) * 2 + (
        "server_error",
    )
    assert (shown.retry_at_ns, shown.cooling_until_ns) == (noon_ns + 11 * 10**9, None)


def test_typical_wait_of_streams_and_of_whole_answers(health: Health) -> None:
    assert health.typical_s(A, streamed=True) is None
    health.succeeded(A, health.begin(A), 2.0, 0.3)
    assert (health.typical_s(A, streamed=True), health.typical_s(A, streamed=False)) == (0.3, 2.0)


def test_memory_is_bounded(health: Health, hands: Hands) -> None:
    for place in range(MAX_TARGETS + 50):
        hands.s += 0.001
        succeed(health, target=Target("a", f"model-{place}"))
    kept = {shown.target.model for shown in health.snapshot()}
    assert len(kept) == MAX_TARGETS
    assert f"model-{MAX_TARGETS + 49}" in kept
    assert "model-0" not in kept


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "tell nothing"]), st.floats(0, 15)), max_size=80))
def test_any_course_of_a_breaker(course: list[tuple[str, float]]) -> None:
    """Open circuits send nothing, and nothing is refused for longer than the longest probe interval."""
    breaker, now, refused_since = Breaker(POLICY), 0.0, None
    for outcome, pause_s in course:
        now += pause_s
        circuit = breaker.begin(now)
        if circuit is Circuit.OPEN:
            refused_since = now if refused_since is None else refused_since
            assert now - refused_since <= POLICY.max_probe_s
            assert breaker.probe_at <= now + POLICY.max_probe_s
            continue
        refused_since = None
        match outcome:
            case "ok":
                breaker.succeeded(circuit, now)
                assert breaker.circuit(now) is Circuit.CLOSED
            case "fail":
                breaker.failed(circuit, now)
                assert circuit is Circuit.CLOSED or breaker.circuit(now) is Circuit.OPEN
            case _:
                breaker.released(circuit)
                assert breaker.circuit(now) is circuit

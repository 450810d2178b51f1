"""Breaker, cooling, keys and statistics, on a clock that tests turn."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core import faults
from sidecar.core.call import Target
from sidecar.core.catalog import Account, BreakerPolicy, Catalog, Key
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


def test_signs_of_life_let_the_next_call_try(health: Health, hands: Hands) -> None:
    """They do not close the circuit: that a list of models is there does not prove that completions work."""
    fail(health, 5)
    hands.s += 3
    health.answered_probe("a", "", accepted=True)
    assert health.circuit(A) is Circuit.HALF_OPEN
    succeed(health)
    assert health.circuit(A) is Circuit.CLOSED


def test_signs_of_life_that_mislead_count_no_more_until_it_has_closed(health: Health, hands: Hands) -> None:
    """Else a provider whose list works and whose completions do not would be tried with every probe."""
    fail(health, 5)
    health.answered_probe("a", "", accepted=True)
    fail(health)
    health.answered_probe("a", "", accepted=True)
    assert health.circuit(A) is Circuit.OPEN
    hands.s += 20
    succeed(health)
    fail(health, 5)
    health.answered_probe("a", "", accepted=True)
    assert health.circuit(A) is Circuit.HALF_OPEN


def test_signs_of_life_of_one_provider_are_none_of_another(health: Health) -> None:
    fail(health, 5)
    health.answered_probe("b", "", accepted=True)
    assert health.circuit(A) is Circuit.OPEN


def test_a_key_that_a_probe_was_answered_with_is_aside_no_longer(health: Health) -> None:
    health.reject_key("k")
    health.answered_probe("a", "k", accepted=False)
    assert health.key_aside("k")
    health.answered_probe("a", "k", accepted=True)
    assert not health.key_aside("k")


def test_a_key_that_is_rejected_after_all_stays_aside_for_its_minute(health: Health, hands: Hands) -> None:
    """A public list of models takes any key."""
    health.reject_key("k")
    health.answered_probe("a", "k", accepted=True)
    hands.s += 1
    health.reject_key("k")
    health.answered_probe("a", "k", accepted=True)
    assert health.key_aside("k")
    hands.s += 60
    assert not health.key_aside("k")


def test_from_whom_calls_are_kept_away(health: Health, hands: Hands) -> None:
    succeed(health, target=B)
    fail(health, 5)
    assert health.open_at() == {("", "a")}
    hands.s += 10
    assert health.open_at() == set(), "the next call tries"


def catalog(**accounts: Account) -> Catalog:
    return Catalog(accounts=accounts, aliases={})


HERE = Account("a", "openai", "openai", "https://here/v1", keys=(Key("k", "one"),))


def test_statistics_outlive_a_reload(health: Health) -> None:
    succeed(health, 3)
    health.follow(catalog(a=HERE), catalog(a=replace(HERE, base_url="https://there/v1")))
    (shown,) = health.snapshot()
    assert (shown.requests, shown.mean_s) == (3, 0.5)


@pytest.mark.parametrize(
    ("after", "circuit"),
    [
        pytest.param(HERE, Circuit.OPEN, id="the same"),
        pytest.param(replace(HERE, weight=7), Circuit.OPEN, id="another weight"),
        pytest.param(replace(HERE, base_url="https://there/v1"), Circuit.CLOSED, id="elsewhere"),
        pytest.param(replace(HERE, keys=(Key("k", "two"),)), Circuit.CLOSED, id="another key"),
    ],
)
def test_a_circuit_is_of_an_endpoint(health: Health, after: Account, circuit: Circuit) -> None:
    fail(health, 5)
    health.follow(catalog(a=HERE), catalog(a=after))
    assert health.circuit(A) is circuit


def test_another_secret_under_the_same_name_is_another_key(health: Health) -> None:
    health.reject_key("k")
    health.follow(catalog(a=HERE), catalog(a=HERE))
    assert health.key_aside("k")
    health.follow(catalog(a=HERE), catalog(a=replace(HERE, keys=(Key("k", "two"),))))
    assert not health.key_aside("k")


def test_an_account_that_is_gone_leaves_no_trace(health: Health) -> None:
    succeed(health)
    health.follow(catalog(a=HERE), catalog())
    assert health.snapshot() == ()


def test_policy_and_scale_follow_a_reload(health: Health, hands: Hands) -> None:
    strict = replace(catalog(a=HERE), breaker=replace(POLICY, consecutive_failures=2), time_scale=0.1)
    succeed(health)
    health.follow(catalog(a=HERE), strict)
    fail(health, 2)
    assert health.circuit(A) is Circuit.OPEN
    hands.s += 1
    assert health.circuit(A) is Circuit.HALF_OPEN, "10 s, a tenth of it"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        pytest.param(succeed, 0, id="a success"),
        pytest.param(lambda health: fail(health, 4), 0, id="failures that open nothing"),
        pytest.param(lambda health: fail(health, 5), 1, id="a circuit opens"),
        pytest.param(lambda health: fail(health, 1, faults.RateLimited(retry_after_s=7)), 1, id="a pause"),
        pytest.param(lambda health: health.reject_key("k"), 1, id="a key"),
    ],
)
def test_what_is_told_at_once(health: Health, event: Callable[[Health], None], told: int) -> None:
    calls: list[None] = []
    health.changed = lambda: calls.append(None)
    event(health)
    assert len(calls) == told


OWN = Target("a", "m", "acme")


def own(**values: object) -> Account:
    return replace(HERE, owner="acme", keys=(Key("own", "sk-own", "workspace"),), **values)  # type: ignore[arg-type]


def test_a_workspaces_own_account_fares_by_itself(health: Health) -> None:
    fail(health, 5, target=OWN)
    assert (health.circuit(OWN), health.circuit(A)) == (Circuit.OPEN, Circuit.CLOSED)
    assert health.open_at() == {("acme", "a")}
    health.answered_probe("a", "", accepted=True)
    assert health.circuit(OWN) is Circuit.OPEN, "a probe of the operator's account is none of it"
    health.answered_probe("a", "", accepted=True, owner="acme")
    assert health.circuit(OWN) is Circuit.HALF_OPEN


def test_a_reload_of_the_configuration_leaves_the_workspaces_own(health: Health) -> None:
    fail(health, 5, target=OWN)
    fail(health, 5)
    health.follow(catalog(a=HERE), catalog(a=replace(HERE, base_url="https://there/v1")))
    assert (health.circuit(OWN), health.circuit(A)) == (Circuit.OPEN, Circuit.CLOSED)


@pytest.mark.parametrize(
    ("after", "left"),
    [
        pytest.param({"a": own()}, Circuit.OPEN, id="the same"),
        pytest.param({"a": own(base_url="https://there/v1")}, Circuit.CLOSED, id="elsewhere"),
        pytest.param({"a": HERE}, None, id="its keys are gone"),
    ],
)
def test_a_change_of_a_workspace_is_followed_for_its_own_only(
    health: Health, after: dict[str, Account], left: Circuit | None
) -> None:
    fail(health, 5, target=OWN)
    fail(health, 5)
    health.follow(catalog(a=own()), catalog(**after), "acme")
    known = health.of(OWN)
    assert (known.circuit if known else None) == left
    assert health.circuit(A) is Circuit.OPEN


def test_a_rotated_secret_of_a_workspace_is_another_key(health: Health) -> None:
    health.reject_key("own")
    health.follow(catalog(a=own()), catalog(a=replace(own(), keys=(Key("own", "sk-new", "workspace"),))), "acme")
    assert not health.key_aside("own")

"""Limits: what is blocked, reserved, settled and learned."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.core.call import Target
from sidecar.core.catalog import Account, Allowance, Key, RateLimits
from sidecar.limits import Limits
from sidecar.limits.limits import LONGEST_S, MAX_TARGETS, SHORTEST_S
from tests.support.limits import TARGET, Hands, limited, need
from tests.support.routes import catalog

param = pytest.param


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def limits(hands: Hands) -> Limits:
    return Limits(hands.clock())


def told(limits: Limits, account: Account, tokens: int = 100) -> str:
    """Why it is blocked, and for how long; empty: it is not."""
    blocked = limits.blocked(account, TARGET, need(tokens))
    return f"{blocked.detail}, {blocked.wait_s:g} s" if blocked else ""


@pytest.mark.parametrize(
    ("set_", "taken", "expected"),
    [
        param({}, 50, "", id="nothing-set-nothing-blocked"),
        param({"max_concurrent": 3}, 2, "", id="a-place-is-left"),
        param({"max_concurrent": 3}, 3, "3 of 3 requests in flight, 0 s", id="none-is-left"),
        param({"requests_per_minute": 60}, 60, "its 60 requests a minute are used up, 1 s", id="requests"),
        param({"tokens_per_minute": 600}, 5, "", id="tokens-left"),
        param({"tokens_per_minute": 600}, 6, "its 600 tokens a minute are used up, 10 s", id="tokens"),
        param({"tokens_per_minute": 600, "requests_per_minute": 6}, 6,
              "its 6 requests a minute are used up, 10 s", id="whichever-takes-longest"),
    ],
)  # fmt: skip
def test_configured(limits: Limits, set_: dict[str, Any], taken: int, expected: str) -> None:
    account = limited(**set_)
    for _ in range(taken):
        limits.take(account, TARGET, need())
    assert told(limits, account) == expected


def test_all_models_of_an_account_share_its_limits(limits: Limits) -> None:
    account = limited(requests_per_minute=1)
    limits.take(account, TARGET, need())
    assert limits.blocked(account, Target("a", "another"), need()) is not None


def test_the_time_scale_shortens_the_minute(hands: Hands) -> None:
    limits, account = Limits(hands.clock(), 0.01), limited(requests_per_minute=60)
    for _ in range(60):
        limits.take(account, TARGET, need())
    assert told(limits, account) == "its 60 requests a minute are used up, 0.01 s"


@pytest.mark.parametrize(
    ("used", "left"),
    [
        param(40, 560, id="less-than-reserved-gives-back"),
        param(300, 300, id="more-takes-more"),
        param(0, 600, id="nothing"),
        param(None, 500, id="unknown-counts-as-reserved"),
        param(10**18, -600, id="an-absurd-report-costs-a-minute-no-more"),
    ],
)
def test_tokens_are_settled_by_what_was_used(limits: Limits, used: int | None, left: int) -> None:
    account = limited(tokens_per_minute=600)
    limits.take(account, TARGET, need(100)).release(used)
    (shown,) = limits.snapshot([account])
    assert shown.tokens is not None
    assert (shown.tokens.remaining, shown.in_flight) == (left, 0)


def test_a_permit_that_was_not_used_counts_nothing(limits: Limits) -> None:
    account = limited(tokens_per_minute=600, requests_per_minute=6, max_concurrent=1)
    limits.take(account, TARGET, need()).unused()
    (shown,) = limits.snapshot([account])
    assert shown.tokens
    assert shown.requests
    assert (shown.tokens.remaining, shown.requests.remaining, shown.in_flight) == (600, 6, 0)


def test_a_permit_is_released_once(limits: Limits) -> None:
    account = limited(max_concurrent=2, tokens_per_minute=600)
    permit, _ = limits.take(account, TARGET, need()), limits.take(account, TARGET, need())
    for _ in range(3):
        permit.release(50)
        permit.unused()
    (shown,) = limits.snapshot([account])
    assert shown.tokens
    assert (shown.in_flight, shown.tokens.remaining) == (1, 450)


def test_a_permit_tells_how_long_its_room_is_away(limits: Limits) -> None:
    account = limited(requests_per_minute=60)
    waits = [limits.take(account, TARGET, need()).wait_s for _ in range(63)][-4:]
    assert waits == pytest.approx([0, 1, 2, 3])


def test_a_call_larger_than_the_limit_counts_with_all_that_it_used(limits: Limits) -> None:
    account = limited(tokens_per_minute=600)
    limits.take(account, TARGET, need(5000)).release(1100)
    assert told(limits, account, 600) == "its 600 tokens a minute are used up, 110 s"


def test_a_call_larger_than_the_limit_that_was_not_sent_counts_nothing(limits: Limits) -> None:
    account = limited(tokens_per_minute=600)
    limits.take(account, TARGET, need(5000)).unused()
    assert told(limits, account, 600) == ""


@pytest.mark.parametrize(
    ("allowance", "tokens", "expected"),
    [
        param(Allowance("requests", 60, 1, 59.0), 1, "", id="one-left"),
        param(Allowance("requests", 60, 0, 60.0), 1, "0 of 60 requests left there, 1 s", id="none-left"),
        param(Allowance("requests", 14400, 0, 86400.0), 1, "0 of 14400 requests left there, 6 s", id="of-a-day"),
        param(Allowance("tokens", 6000, 50, None, None), 100, "50 of 6000 tokens left there, 0.5 s",
              id="no-reset-no-window-is-a-minutes"),
        param(Allowance("tokens", 600, 0, None, 3600.0), 100, "0 of 600 tokens left there, 600 s", id="by-its-window"),
        param(Allowance("tokens", 600, 500, 0.0, 60.0), 100, "", id="a-reset-of-0-means-nothing"),
        param(Allowance("tokens", 600, 600, 0.0), 5000, "", id="what-no-window-holds-is-let-through-when-it-is-whole"),
    ],
)  # fmt: skip
def test_learned(limits: Limits, allowance: Allowance, tokens: int, expected: str) -> None:
    account = limited()
    limits.learn(TARGET, [allowance])
    assert told(limits, account, tokens) == expected
    blocked = limits.blocked(account, TARGET, need(tokens))
    assert blocked is None or not blocked.firm, "a hint"


counts = st.integers(0, 10**15 - 1)
spans = st.none() | st.floats(0, allow_nan=False, allow_infinity=False)


@given(limit=counts.filter(bool), remaining=counts, reset_s=spans, window_s=spans)
@example(limit=10, remaining=0, reset_s=0.0001, window_s=None)
@example(limit=10**15 - 1, remaining=0, reset_s=0.001, window_s=None)
@example(limit=10, remaining=0, reset_s=None, window_s=1e308)
@example(limit=10, remaining=0, reset_s=None, window_s=5e-324)
def test_whatever_a_provider_tells_can_be_waited_for_and_shown(
    limit: int, remaining: int, reset_s: float | None, window_s: float | None
) -> None:
    limits, account = Limits(Hands().clock()), limited()
    limits.learn(TARGET, [Allowance("requests", limit, min(remaining, limit), reset_s, window_s)])
    blocked = limits.blocked(account, TARGET, need())
    assert blocked is None or 0 < blocked.wait_s <= LONGEST_S
    (shown,) = limits.snapshot([account])
    assert shown.requests is not None
    assert SHORTEST_S <= shown.requests.window_s <= LONGEST_S
    assert 0 <= shown.requests.full_at_ns - 1000 * 10**9 <= LONGEST_S * 1e9 + 1
    assert shown.requests.remaining == min(remaining, limit)


def test_what_was_learned_of_one_model_says_nothing_of_another(limits: Limits) -> None:
    limits.learn(TARGET, [Allowance("requests", 60, 0, 60.0)])
    assert limits.blocked(limited(), Target("a", "another"), need()) is None


def test_calls_count_against_what_was_learned_until_the_next_answer(limits: Limits) -> None:
    account = limited()
    limits.learn(TARGET, [Allowance("requests", 60, 2, 58.0)])
    for _ in range(2):
        assert told(limits, account) == ""
        limits.take(account, TARGET, need())
    assert told(limits, account) == "0 of 60 requests left there, 1 s"
    limits.learn(TARGET, [Allowance("requests", 60, 30, 30.0)])
    assert told(limits, account) == ""


def test_what_is_learned_is_bounded(limits: Limits) -> None:
    for number in range(MAX_TARGETS + 10):
        limits.learn(Target("a", f"m{number}"), [Allowance("requests", 60, 0, 60.0)])
    assert limits.blocked(limited(), Target("a", "m0"), need()) is None, "the oldest is forgotten"
    assert limits.blocked(limited(), Target("a", f"m{MAX_TARGETS + 9}"), need()) is not None


def test_a_reload_keeps_what_is_used_of_limits_that_stay(limits: Limits) -> None:
    before = limited(requests_per_minute=60, tokens_per_minute=600, max_concurrent=5)
    limits.take(before, TARGET, need(100))
    after = replace(before, limits=RateLimits(requests_per_minute=60, tokens_per_minute=900, max_concurrent=1))
    limits.follow(catalog([before]), catalog([after]))
    assert told(limits, before) == "1 of 1 requests in flight, 0 s", "calls with an older plan are held to it, too"
    (shown,) = limits.snapshot([after])
    assert shown.requests
    assert shown.tokens
    assert (shown.requests.remaining, shown.tokens.limit, shown.tokens.remaining) == (59, 900, 900)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        param({}, True, id="the-same-account"),
        param({"base_url": "https://elsewhere.example"}, False, id="another-address"),
        param({"keys": (Key("key-a", "sk-another"),)}, False, id="another-key"),
    ],
)
def test_what_was_learned_goes_with_its_account(limits: Limits, changes: dict[str, Any], kept: bool) -> None:
    before = limited()
    limits.learn(TARGET, [Allowance("requests", 60, 0, 60.0)])
    limits.follow(catalog([before]), catalog([replace(before, **changes)]))
    assert (limits.blocked(before, TARGET, need()) is not None) == kept


def test_shown_is_the_configured_limit_else_the_tightest_that_was_learned(limits: Limits, hands: Hands) -> None:
    account = limited(requests_per_minute=60)
    limits.take(account, TARGET, need())
    limits.learn(TARGET, [Allowance("requests", 10, 1, 54.0), Allowance("tokens", 1000, 900, 6.0)])
    limits.learn(Target("a", "n"), [Allowance("tokens", 1000, 100, 54.0)])
    (shown,) = limits.snapshot([account])
    assert shown.requests
    assert shown.tokens
    assert (shown.requests.learned, shown.requests.remaining) == (False, 59)
    assert (shown.tokens.learned, shown.tokens.remaining, shown.tokens.window_s) == (True, 100, 60.0)
    assert shown.tokens.full_at_ns == round((hands.now + 54) * 1e9)


def test_a_workspaces_own_account_has_limits_of_its_own(limits: Limits) -> None:
    theirs = limited(max_concurrent=1)
    own = replace(theirs, owner="acme")
    limits.take(theirs, TARGET, need())
    assert told(limits, theirs) == "1 of 1 requests in flight, 0 s"
    assert told(limits, own) == ""
    limits.take(own, TARGET, need())
    limits.follow(catalog([theirs]), catalog([limited(max_concurrent=2)]))
    assert (told(limits, theirs), told(limits, own)) == ("", "1 of 1 requests in flight, 0 s")
    limits.follow(catalog([own]), catalog([replace(own, limits=RateLimits(max_concurrent=2))]), "acme")
    assert told(limits, own) == ""


def test_what_a_workspaces_own_account_has_learned_stays_when_the_configuration_changes(limits: Limits) -> None:
    own, target = replace(limited(), owner="acme"), replace(TARGET, owner="acme")
    limits.learn(target, [Allowance("requests", 60, 0, 60.0)])
    limits.follow(catalog([limited()]), catalog([]))
    assert limits.blocked(own, target, need()) is not None
    limits.follow(catalog([own]), catalog([]), "acme")
    assert limits.blocked(own, target, need()) is None

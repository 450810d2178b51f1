"""Finished calls for budgets: any that a sidecar can journal."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Cost, Target, Usage
from sidecar.core.control import Budget, BudgetScope, Window

WORKSPACES = ("default", "acme")
ALIASES = ("", "smart", "fast")
CALLERS = ("", "t1", "t2")
KEYS = ("", "k1", "k2")
NOW_NS = 1_767_225_600 * 10**9 + 15 * 86_400 * 10**9
"""In the middle of January 2026."""
HOUR_NS = 3600 * 10**9


def an_attempt(number: int = 1, **told: object) -> Attempt:
    fields: dict[str, object] = {
        "number": number,
        "target": Target("openai", "gpt-x"),
        "provider_type": "openai",
        "status": AttemptStatus.OK,
        "started_ns": NOW_NS,
        "key_id": "k1",
        "usage": Usage(input=10, output=5),
        "cost": Cost(priced=True, amount_picodollars=3_000_000),
    }
    return Attempt(**(fields | told))  # type: ignore[arg-type]  # test shorthand


def a_call(seq: int, attempts: Sequence[Attempt] = (an_attempt(),), **told: object) -> CallRecord:
    fields: dict[str, object] = {
        "sidecar_id": "01JZ0000000000000000000000",
        "seq": seq,
        "call_id": f"{seq:026d}",
        "workspace": "acme",
        "caller": "t1",
        "alias": "smart",
        "operation": "chat",
        "streamed": False,
        "status": CallStatus.OK,
        "started_ns": NOW_NS,
        "ended_ns": NOW_NS + 10**9,
        "duration_ns": 10**9,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "server_span_id": "b7ad6b7169203331",
        "invoke_span_id": "b7ad6b7169203332",
        "attempts": tuple(attempts),
    }
    return CallRecord(**(fields | told))  # type: ignore[arg-type]  # test shorthand


COUNTS = st.none() | st.integers(0, 10**6)
ATTEMPTS = st.builds(
    an_attempt,
    number=st.integers(1, 3),
    key_id=st.sampled_from(KEYS),
    usage=st.builds(Usage, input=COUNTS, output=COUNTS, reasoning=COUNTS, cache_read=COUNTS),
    cost=st.one_of(
        st.just(Cost(priced=False, amount_picodollars=None)),
        st.builds(Cost, st.just(True), st.integers(0, 10**15)),
    ),
    cost_at_risk_picodollars=st.integers(0, 10**13),
    tokens_at_risk=st.integers(0, 10**6),
)
TIMES = st.integers(-800, 800).map(lambda hours: NOW_NS + hours * HOUR_NS) | st.just(NOW_NS)
CALLS = st.builds(
    a_call,
    seq=st.just(0),
    attempts=st.lists(ATTEMPTS, max_size=3),
    workspace=st.sampled_from(WORKSPACES),
    alias=st.sampled_from(ALIASES),
    caller=st.sampled_from(CALLERS),
    started_ns=TIMES,
    budget_ns=st.just(0) | TIMES,
)


def a_budget(scope: BudgetScope = BudgetScope.WORKSPACE, subject: str = "", **told: object) -> Budget:
    fields: dict[str, object] = {
        "budget_id": f"b-{scope}-{subject}",
        "workspace": "acme",
        "name": "a budget",
        "scope": scope,
        "subject": subject,
        "limit_picodollars": 100 * 10**12,
    }
    return Budget(**(fields | told))  # type: ignore[arg-type]  # test shorthand


SUBJECTS = {
    BudgetScope.WORKSPACE: ("",),
    BudgetScope.ALIAS: ("smart",),
    BudgetScope.CALLER: ("t1",),
    BudgetScope.KEY: ("k1",),
}
BUDGETS = st.sampled_from(BudgetScope).flatmap(
    lambda scope: st.builds(
        a_budget,
        st.just(scope),
        st.sampled_from(SUBJECTS[scope]),
        workspace=st.sampled_from(WORKSPACES),
        window=st.sampled_from(Window),
        time_zone=st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")),
        count_at_risk=st.booleans(),
    )
)

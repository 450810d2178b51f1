"""The errors of contracts.md §6, as a caller meets them: status, reason, words, details, and how many rows are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest

from sidecar.budget import WindowState, window_at
from sidecar.core.call import KeyScope, Target
from sidecar.core.catalog import Account, RetryPolicy
from sidecar.core.control import Window
from sidecar.core.faults import Refusal, RefusalReason, ServerError
from sidecar.edge.auth import Identity, Peer
from sidecar.journal import JournalFailed
from taximeter.errors import BY_REASON
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.budgets import budget as of
from tests.support.hostile import Act
from tests.support.served import MAX_MESSAGE_BYTES, Ending, Served

HELLO = payload.ChatRequest(prompt="hello")
SMART = pb.CallSpec(alias="smart", chat=HELLO)
TO_A = pb.CallSpec(target=pb.ModelRef(provider="a", model="ma"), chat=HELLO)
USD = 10**12
QUICK = RetryPolicy(max_retries=1)


@dataclass(frozen=True)
class Case:
    """What a caller is told, and what is done to deserve it."""

    code: str
    says: str
    scripts: Sequence[Sequence[Act]] = ((),)
    spec: pb.CallSpec = field(default_factory=lambda: SMART)
    streamed: bool = False
    prepare: Callable[[Served], None] = lambda _served: None
    rows: int = 1
    asked: int = 0
    """Requests that providers got."""
    waits: bool = False
    """RetryInfo."""
    fields: tuple[str, ...] = ()
    """BadRequest."""
    timeout_s: float = 20
    edge: dict[str, Any] = field(default_factory=dict)


def accounts(change: Callable[[Account], Account]) -> Callable[[Served], None]:
    """Changes every account."""

    def prepare(served: Served) -> None:
        known = served.rig.catalog.accounts
        changed = {name: change(account) for name, account in known.items()}
        served.rig.catalog = replace(served.rig.catalog, accounts=changed)

    return prepare


def without_keys(account: Account) -> Account:
    return replace(account, keys=(), unusable=f"{account.name.upper()}_API_KEY is not set")


def budget(spent_picodollars: int) -> Callable[[Served], None]:
    """$100 for the workspace, of which so much is spent."""

    def prepare(served: Served) -> None:
        cap = of("cap", usd=100 * USD, window=Window.TOTAL, workspace="default")
        start_ns, end_ns = window_at(Window.TOTAL, "UTC", served.rig.budgets.now_ns())
        state = WindowState(
            budget_id="cap", workspace="default", scope=cap.scope, subject=cap.subject, window=cap.window,
            time_zone="UTC", start_ns=start_ns, end_ns=end_ns, spent_picodollars=spent_picodollars,
        )  # fmt: skip
        served.rig.budgets.restore([state])
        served.rig.budgets.follow({"cap": cap})

    return prepare


def unpriced(served: Served) -> None:
    """A budget in dollars, and a model whose price nobody knows."""
    budget(0)(served)
    smart = served.rig.catalog.aliases["smart"]
    routes = tuple(replace(route, target=Target(route.target.provider, "unpriced")) for route in smart.routes)
    served.rig.catalog = replace(served.rig.catalog, aliases={"smart": replace(smart, routes=routes)})


def for_video_only(account: Account) -> Account:
    return replace(account, keys=tuple(replace(key, scopes=frozenset({KeyScope.VIDEO})) for key in account.keys))


def trip(served: Served) -> None:
    """Opens a's circuit."""
    target = Target("a", "ma")
    for _ in range(served.rig.catalog.breaker.consecutive_failures):
        served.rig.health.failed(target, served.rig.health.begin(target), ServerError("down"))


def fill_disk(served: Served) -> None:
    served.rig.book.full = True


def break_disk(served: Served) -> None:
    served.rig.book.failing = JournalFailed("disk")


class Stranger:
    async def identify(self, peer: Peer) -> Identity:
        raise Refusal("UNAUTHENTICATED", RefusalReason.UNAUTHENTICATED, "Who is there?")


DOWN, LIMITED = (on.status(503),), (on.status(429, retry_after="60"),)
BUDGET = "Budget reached (workspace 'default', $100.00 of $100.00). Raise the cap, wait, or switch to platform credits."
CASES: dict[str, tuple[str, Case]] = {
    "unknown alias": ("UNKNOWN_ALIAS", Case(
        "NOT_FOUND", "Unknown alias 'smrt'. Did you mean 'smart'?", spec=pb.CallSpec(alias="smrt", chat=HELLO),
    )),
    "unknown task": ("UNKNOWN_ALIAS", Case(
        "NOT_FOUND", "Unknown alias 'xyz'. Known aliases: smart.", spec=pb.CallSpec(task="xyz", chat=HELLO),
    )),
    "unknown provider": ("UNKNOWN_PROVIDER", Case(
        "NOT_FOUND", "Unknown provider 'nobody'. Configured: a.",
        spec=pb.CallSpec(target=pb.ModelRef(provider="nobody"), chat=HELLO),
    )),
    "no key for any target of an alias": ("KEY_MISSING", Case(
        "FAILED_PRECONDITION",
        "Add a key for this alias: `taximeter keys add PROVIDER` (alias 'smart' needs one of: a, b)",
        scripts=((), ()), prepare=accounts(without_keys),
    )),
    "explicit provider unusable": ("PROVIDER_NOT_INITIALIZED", Case(
        "FAILED_PRECONDITION", "Provider not initialized: A_API_KEY is not set",
        spec=TO_A, prepare=accounts(without_keys),
    )),
    "budget": ("BUDGET_EXCEEDED", Case("RESOURCE_EXHAUSTED", BUDGET, prepare=budget(100 * USD))),
    "no price under a limit": ("PRICE_UNKNOWN", Case(
        "FAILED_PRECONDITION", "give it one (`taximeter prices set`)", prepare=unpriced,
    )),
    "key lacks scope": ("SCOPE_NOT_ALLOWED", Case(
        "PERMISSION_DENIED", "This key doesn't allow text. Enable the 'text' scope or pick another alias.",
        prepare=accounts(for_video_only),
    )),
    "no provider usable": ("NO_PROVIDER_AVAILABLE", Case(
        "UNAVAILABLE", "No available AI providers: a (disabled), b (disabled)",
        scripts=((), ()), prepare=accounts(lambda account: replace(account, enabled=False)),
    )),
    "circuit open": ("NO_PROVIDER_AVAILABLE", Case(
        "UNAVAILABLE", "No available AI providers: a (circuit open until", prepare=trip, waits=True,
    )),
    "all failed": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "Request failed after all retry attempts:\na/ma: server error (HTTP 503): status 503\n"
        "Fallback provider failed: b/mb: server error (HTTP 503): status 503", scripts=(DOWN, DOWN), asked=2,
    )),
    "all limited": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "Fallback provider failed: b/mb: rate limited (HTTP 429)",
        scripts=(LIMITED, LIMITED), asked=2, waits=True,
    )),
    "provider resets": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "a/ma: connection reset", scripts=((on.reset,),), asked=2,
    )),
    "provider hangs": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "a/ma: response timeout", scripts=((on.silence,),), asked=1,
    )),
    "provider sends garbage": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "a/ma: garbled", scripts=((on.status(200, b"<html>"),),), asked=1,
    )),
    "provider sends 50 MB": ("ALL_ATTEMPTS_FAILED", Case(
        "UNAVAILABLE", "a/ma: answer too large", scripts=((on.huge(),),), asked=1,
    )),
    "model unknown": ("MODEL_NOT_FOUND", Case(
        "NOT_FOUND", "Model not found: 'ma' at provider 'a'", scripts=((on.NO_MODEL,),), asked=1,
    )),
    "operation unsupported": ("OPERATION_NOT_SUPPORTED", Case(
        "UNIMPLEMENTED", "a does not offer moderation.",
        spec=pb.CallSpec(target=TO_A.target, moderation=payload.ModerationRequest(inputs=["x"])),
    )),
    "provider refuses the request": ("INVALID_REQUEST", Case(
        "INVALID_ARGUMENT", "temperature must be below 2", scripts=((on.BAD_REQUEST,),), asked=1,
    )),
    "context too long": ("CONTEXT_LENGTH_EXCEEDED", Case(
        "INVALID_ARGUMENT", "maximum context length is 8 tokens", scripts=((on.CONTEXT_LENGTH,),), asked=1,
    )),
    "content filtered": ("CONTENT_FILTERED", Case(
        "FAILED_PRECONDITION", "The content filter of a refused this: withheld",
        scripts=((on.CONTENT_FILTER,),), asked=1,
    )),
    "stream cut after content": ("STREAM_BROKEN", Case(
        "UNAVAILABLE", "not a whole answer: a/ma: stream cut",
        scripts=((on.breaking(2, on.reset),),), streamed=True, asked=1,
    )),
    "malformed, all told at once": ("INVALID_REQUEST", Case(
        "INVALID_ARGUMENT", "Invalid request: call.chat.temperature: must be from 0 to 100",
        spec=pb.CallSpec(
            alias="smart", chat=payload.ChatRequest(prompt="x", temperature=-1, top_p=3), request_id="7",
            tags={"colour": "red"},
        ),
        fields=("call.chat.temperature", "call.chat.top_p", "call.tags['colour']", "call.request_id"),
    )),
    "no payload": ("INVALID_REQUEST", Case(
        "INVALID_ARGUMENT", "set a payload", spec=pb.CallSpec(alias="smart"), fields=("call",),
    )),
    "no call": ("INVALID_REQUEST", Case("INVALID_ARGUMENT", "set a payload", spec=pb.CallSpec(), fields=("call",))),
    "another's workspace": ("WORKSPACE_MISMATCH", Case(
        "PERMISSION_DENIED", "Leave workspace_id out", spec=pb.CallSpec(alias="smart", chat=HELLO, workspace_id="7"),
    )),
    "too many tags": ("INVALID_REQUEST", Case(
        "INVALID_ARGUMENT", "at most 2 are kept", fields=("call.tags",), edge={"max_tags": 2},
        spec=pb.CallSpec(alias="smart", chat=HELLO, tags={"a": "1", "b": "2", "c": "3"}),
    )),
    "journal full": ("JOURNAL_FULL", Case("RESOURCE_EXHAUSTED", "Free disk space", prepare=fill_disk, rows=0)),
    "journal broken": ("JOURNAL_FAILED", Case("INTERNAL", "disk failed", prepare=break_disk, asked=1)),
    "overloaded": ("OVERLOADED", Case(
        "RESOURCE_EXHAUSTED", "TAXIMETER_MAX_CALLS", edge={"max_calls": 0}, waits=True, rows=0,
    )),
    "shutting down": ("SHUTTING_DOWN", Case(
        "UNAVAILABLE", "shutting down", prepare=lambda served: served.gate.close(), waits=True, rows=0,
    )),
    "not authenticated": ("UNAUTHENTICATED", Case(
        "UNAUTHENTICATED", "Who is there?", edge={"authenticator": Stranger()}, rows=0,
    )),
    "oversized": ("MESSAGE_TOO_LARGE", Case(
        "RESOURCE_EXHAUSTED", "raise TAXIMETER_MAX_MESSAGE", rows=0,
        spec=pb.CallSpec(alias="smart", chat=payload.ChatRequest(prompt="x" * (MAX_MESSAGE_BYTES + 1))),
    )),
}  # fmt: skip
TABLE = [pytest.param(reason, case, id=name) for name, (reason, case) in CASES.items()]


async def met(scene: MakeScene, case: Case, *, streamed: bool) -> tuple[Served, Ending, int]:
    """The scene played: what served, how the call ended, how often providers were asked."""
    served, providers = await scene(*case.scripts, edge=case.edge, retry=QUICK)
    case.prepare(served)
    if streamed:
        _, ending = await served.listen(case.spec, timeout_s=case.timeout_s)
    else:
        ending = await served.ask(case.spec, timeout_s=case.timeout_s)
    await served.settled()
    return served, ending, sum(len(provider.hits) for provider in providers)


@pytest.mark.parametrize(("reason", "case"), TABLE)
async def test_error(reason: str, case: Case, scene: MakeScene) -> None:
    served, ending, asked = await met(scene, case, streamed=case.streamed)
    error = ending.error
    assert error is not None
    assert (ending.code, ending.reason) == (case.code, reason)
    assert case.says in error.message
    assert type(error) is BY_REASON[reason]
    assert (error.retry_after_s is not None) == case.waits
    assert tuple(path for path, _ in error.violations) == case.fields
    assert (len(served.records), asked) == (case.rows, case.asked)


@pytest.mark.parametrize(
    ("reason", "case"), [row for row in TABLE if not row.values[1].streamed]  # type: ignore[union-attr]
)  # fmt: skip
async def test_a_stream_ends_in_the_same_error(reason: str, case: Case, scene: MakeScene) -> None:
    served, ending, _ = await met(scene, case, streamed=True)
    assert (ending.code, ending.reason) == (case.code, reason)
    assert len(served.records) == case.rows


@pytest.mark.parametrize(("reason", "case"), [row for row in TABLE if row.values[1].rows])  # type: ignore[union-attr]
async def test_what_was_recorded_is_told(reason: str, case: Case, scene: MakeScene) -> None:
    """The row's call_id, status and reason are those of the error."""
    served, ending, asked = await met(scene, case, streamed=case.streamed)
    (record,) = served.records
    assert ending.error is not None
    assert ending.error.metering is not None
    assert ending.error.metering.call_id == ending.error.metadata["call_id"] == record.call_id
    assert len(ending.error.metering.attempts) == len(record.attempts) == asked
    if reason != "JOURNAL_FAILED":  # that row never reached the disk as it was told
        assert record.grpc_status == ending.code
        assert record.status.value == ("error" if asked else "refused")


def test_the_table_is_complete() -> None:
    """Every reason that this version can give; the rest is met elsewhere."""
    met_elsewhere = "DEADLINE_EXCEEDED CANCELLED LEDGER_UNAVAILABLE CALL_NOT_FOUND INVALID_CONFIGURATION INTERNAL"
    by_the_control_plane = (
        "ROLE_REQUIRED UNKNOWN_WORKSPACE UNKNOWN_TOKEN UNKNOWN_KEY UNKNOWN_BUDGET UNKNOWN_PRICE NAME_TAKEN "
        "VERSION_CONFLICT KEY_NOT_ACCEPTED VAULT_LOCKED CONTROL_UNAVAILABLE BUDGET_UNKNOWN REQUEST_ALREADY_SERVED "
        "IDEMPOTENCY_KEY_REUSED PERIOD_NOT_CLOSABLE"
    )
    elsewhere = {*met_elsewhere.split(), *by_the_control_plane.split(), "LOCAL_MODELS_FAILED"}
    assert {reason for reason, _ in CASES.values()} | elsewhere == {reason.value for reason in RefusalReason}


async def test_a_bug_is_internal_and_keeps_the_text_to_itself(scene: MakeScene) -> None:
    """Nothing of an unforeseen exception but its place reaches caller and log."""
    served, _ = await scene()

    def broken(call: Any) -> Any:
        raise ValueError("canary")

    served.rig.invoker.invoke = broken  # type: ignore[method-assign]
    ending = await served.ask(SMART)
    assert (ending.code, ending.reason, ending.message) == (
        "INTERNAL", "INTERNAL", "The sidecar failed; its log says where.",
    )  # fmt: skip
    assert "canary" not in str(served.rig.notes.lines)
    assert "broken" in str(served.rig.notes.lines)


async def test_the_ledger_is_told_to_be_away(scene: MakeScene) -> None:
    served, _ = await scene()
    ending = await served.raw("taximeter.v1.UsageService/GetCall", b"")
    assert (ending.code, ending.reason) == ("UNAVAILABLE", "LEDGER_UNAVAILABLE")
    assert "taximeter bookkeeper" in ending.message
    assert ending.error is not None
    assert ending.error.retry_after_s == 1.0
    assert (await served.ask(SMART)).code == "OK"


@pytest.mark.parametrize("method", ["Invoke", "InvokeStream"])
async def test_undecodable_bytes_are_counted_and_leave_no_row(method: str, scene: MakeScene) -> None:
    served, _ = await scene()
    ending = await served.raw(f"taximeter.v1.InvocationService/{method}", b"\xff\xff\xff")
    assert (ending.code, ending.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    await served.settled()
    assert (served.gate.undecodable, served.records) == (1, [])


async def test_what_is_far_too_large_is_refused_unread(scene: MakeScene) -> None:
    served, _ = await scene()
    with pytest.raises(grpc.aio.AioRpcError, match="larger than max"):
        await served.stub.Invoke(
            pb.InvokeRequest(call=pb.CallSpec(chat=payload.ChatRequest(prompt="x" * (5 * MAX_MESSAGE_BYTES))))
        )
    assert (await served.ask(SMART)).code == "OK"

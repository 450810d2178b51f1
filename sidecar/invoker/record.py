"""The one place where a call's record is built."""

from __future__ import annotations

from dataclasses import dataclass, field

from sidecar.core.call import Attempt, AttemptStatus, Call, CallRecord, CallStatus, Skip
from sidecar.core.faults import FallbackReason
from sidecar.invoker.meter import total
from sidecar.routing import Plan


@dataclass(frozen=True, slots=True)
class Identity:
    """What a record is known by, from its beginning."""

    sidecar_id: str
    seq: int
    server_span_id: str
    invoke_span_id: str


@dataclass(slots=True)
class Course:
    """What has happened to a call so far. Times are monotonic ns, spans of them ns."""

    plan: Plan | None = None
    attempts: list[Attempt] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    fallback: FallbackReason | None = None
    """The first reason that moved the call on."""
    served: Attempt | None = None
    """The last attempt of which the caller got content."""
    first_content_at_ns: int | None = None
    queued_ns: int = 0
    paused_ns: int = 0
    provider_ns: int = 0
    bytes_out: int = 0
    budget_ns: int = 0
    max_tokens_granted: int | None = None
    budget_alerts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ending:
    status: CallStatus
    error_type: str = ""
    grpc_status: str = ""


OPEN = Ending(CallStatus.OPEN)
ANSWERED = Ending(CallStatus.OK, grpc_status="OK")


def build(
    call: Call, known: Identity, course: Course, ending: Ending, now_ns: int, *, under_way: tuple[Attempt, ...] = ()
) -> CallRecord:
    """The record as it stands at `now_ns` (monotonic), with an attempt that is about to leave, if any."""
    plan, served = course.plan, course.served
    alias = plan.pool.alias if plan is not None else None
    attempts = (*course.attempts, *under_way)
    sums = total(attempts)
    duration_ns = now_ns - call.started_monotonic_ns
    first_ns = course.first_content_at_ns
    return CallRecord(
        sidecar_id=known.sidecar_id,
        seq=known.seq,
        call_id=call.call_id,
        workspace=call.workspace,
        caller=call.caller,
        operation=call.operation.value,
        streamed=call.streamed,
        status=ending.status,
        started_ns=call.started_ns,
        ended_ns=call.started_ns + duration_ns,
        duration_ns=duration_ns,
        trace_id=call.trace.trace_id,
        server_span_id=known.server_span_id,
        invoke_span_id=known.invoke_span_id,
        parent_span_id=call.trace.parent_span_id,
        sampled=call.trace.sampled,
        request_id=call.request_id,
        conversation_id=call.conversation_id,
        alias=call.alias,
        alias_version=alias.version if alias is not None else 0,
        task=call.task,
        capability=call.capability.value if call.capability is not None else "",
        strategy=plan.pool.strategy.value if plan is not None and call.target is None else "",
        preference=_preference(call, plan),
        error_type=ending.error_type,
        grpc_status=ending.grpc_status,
        provider_of_record=served.target.provider if served is not None else "",
        provider_type=served.provider_type if served is not None else "",
        model_requested=served.target.model if served is not None else call.target.model if call.target else "",
        model_reported=served.model_reported if served is not None else "",
        key_id=served.key_id if served is not None else "",
        key_owner=served.key_owner if served is not None else "",
        fallback_used=course.fallback is not None,
        fallback_reason=course.fallback.value if course.fallback is not None else "",
        skips=tuple(course.skips),
        attempts=attempts,
        usage=sums.usage,
        usage_source=sums.usage_source,
        estimator_version=sums.estimator_version,
        cost=sums.cost,
        cost_at_risk_picodollars=sums.cost_at_risk_picodollars,
        maybe_billed=sums.maybe_billed,
        queued_ns=course.queued_ns,
        first_token_ns=None if first_ns is None else call.started_ns + first_ns - call.started_monotonic_ns,
        provider_ns=course.provider_ns,
        overhead_ns=max(duration_ns - course.provider_ns - course.paused_ns, 0),
        bytes_in=call.bytes_in,
        bytes_out=course.bytes_out,
        parameters=call.parameters,
        tags=call.tags,
        rpc_method=call.rpc_method,
        request_digest=call.request_digest,
        budget_ns=course.budget_ns,
        max_tokens_granted=course.max_tokens_granted,
        budget_alerts=tuple(course.budget_alerts),
    )


def _preference(call: Call, plan: Plan | None) -> str:
    preference = plan.preference if plan is not None else call.preference
    return preference.value if preference is not None else ""


def failed(course: Course, refusal_reason: str) -> str:
    """The error_type of a call without an answer: its last attempt's, else why it was refused."""
    last = course.attempts[-1] if course.attempts else None
    if last is not None and last.status is AttemptStatus.FAILED and last.error_type:
        return last.error_type
    return refusal_reason.lower()

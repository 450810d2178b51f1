"""CatalogService, as far as it answers what a call would do: ExplainPlan, EstimateCost, FindBestProvider,
GetCheapestModel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from sidecar.core import ids
from sidecar.core.aliases import OPERATION_OF
from sidecar.core.call import Call, Capability, Preference, Timeouts
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal
from sidecar.edge import metering
from sidecar.edge.cheapest import cheapest
from sidecar.edge.decode import Arrival, decode, invalid
from sidecar.edge.estimates import estimated
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.shown import key_text
from sidecar.edge.trace import trace_of
from sidecar.invoker import Explained, Explanation
from sidecar.invoker.asked import as_alias_has_it
from sidecar.pricing import Pricing
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2

SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"].full_name
Explain = Callable[[Call], Explanation]


class Choosing:
    """Nothing is sent to a provider, nothing recorded, no turn used up."""

    def __init__(
        self, explain: Explain, catalog: Callable[[str], Catalog], pricing: Pricing, clock: Clock, max_tags: int
    ) -> None:
        self._explain = explain
        self._catalog = catalog
        self._pricing = pricing
        self._clock = clock
        self._max_tags = max_tags

    def handlers(self, border: Border) -> Handlers:
        questions: dict[str, tuple[type[Message], Callable[[Any, Rpc], Message]]] = {
            "ExplainPlan": (pb.ExplainPlanRequest, self.explain_plan),
            "EstimateCost": (pb.EstimateCostRequest, self.estimate_cost),
            "FindBestProvider": (pb.FindBestProviderRequest, self.find_best_provider),
            "GetCheapestModel": (pb.GetCheapestModelRequest, self.get_cheapest_model),
        }

        def handler(name: str) -> grpc.RpcMethodHandler[Any, Any]:
            kind, answer = questions[name]

            async def ask(body: bytes, rpc: Rpc) -> bytes:
                return answer(border.parse(kind, body), rpc).SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        return {name: handler(name) for name in questions}

    def explain_plan(self, asked: pb.ExplainPlanRequest, rpc: Rpc) -> pb.ExplainPlanResponse:
        """Raises Refusal for a spec that no call can have; why a good one would fail is part of the answer."""
        call = self._decoded(asked.call, rpc, streamed=asked.streamed)
        return explained(call, self._explain(call), self._seen(rpc))

    def estimate_cost(self, asked: pb.EstimateCostRequest, rpc: Rpc) -> pb.EstimateCostResponse:
        """Raises Refusal as `explain_plan` does."""
        call, seen = self._decoded(asked.call, rpc, streamed=False), self._seen(rpc)
        found = self._explain(call)
        call = as_alias_has_it(call, found.plan.pool.alias, zero_retention=seen.zero_retention)
        return estimated(call, found, self._pricing)

    def find_best_provider(self, asked: pb.FindBestProviderRequest, rpc: Rpc) -> pb.FindBestProviderResponse:
        """Raises Refusal if there is none, with the reason that a call would get."""
        call = self._call_for(
            capability_of(asked.capability),
            rpc,
            preferred_provider=asked.preferred_provider,
            preference=preference_of(asked.routing_preference),
        )
        found = self._explain(call)
        if found.refusal is not None:
            raise found.refusal
        first = found.targets[0]
        return pb.FindBestProviderResponse(target=ref(first), why=f"{found.why} {first.planned}: {first.why}.")

    def get_cheapest_model(self, asked: pb.GetCheapestModelRequest, rpc: Rpc) -> pb.GetCheapestModelResponse:
        """Raises Refusal if there is none."""
        call = self._call_for(capability_of(asked.capability), rpc)
        return cheapest(call, self._explain, self._seen(rpc), self._pricing, free_only=asked.free_only)

    def _decoded(self, spec: invocation_pb2.CallSpec, rpc: Rpc, *, streamed: bool) -> Call:
        found = decode(spec, self._arrival(rpc, streamed=streamed), self._seen(rpc), self._max_tags)
        if found.refusal is not None:
            raise found.refusal
        return found.call

    def _seen(self, rpc: Rpc) -> Catalog:
        return self._catalog(rpc.identity.workspace)

    def _call_for(self, capability: Capability, rpc: Rpc, **values: Any) -> Call:
        """Any call for the capability; without a payload, since nobody knows it."""
        arrival = self._arrival(rpc, streamed=False)
        return Call(
            call_id=ids.ulid(),
            workspace=arrival.identity.workspace,
            caller=arrival.identity.caller,
            operation=OPERATION_OF[capability],
            payload=None,
            streamed=False,
            started_ns=arrival.started_ns,
            started_monotonic_ns=arrival.started_monotonic_ns,
            deadline_s=arrival.deadline_s,
            trace=arrival.trace,
            rpc_method=arrival.rpc_method,
            capability=capability,
            **values,
        )

    def _arrival(self, rpc: Rpc, *, streamed: bool) -> Arrival:
        now_ns = self._clock.monotonic_ns()
        deadline_s = now_ns / 1e9 + self._seen(rpc).default_deadline_s
        return Arrival(rpc.identity, trace_of([]), rpc.method, streamed, self._clock.wall_ns(), now_ns, deadline_s)


def capability_of(number: invocation_pb2.Capability.ValueType) -> Capability:
    """Raises Refusal."""
    if number not in invocation_pb2.Capability.values() or not number:
        raise invalid([("capability", "is required" if not number else f"{number} is not one of its values")])
    return Capability[invocation_pb2.Capability.Name(number).removeprefix("CAPABILITY_")]


def preference_of(number: invocation_pb2.RoutingPreference.ValueType) -> Preference | None:
    """Raises Refusal."""
    if not number:
        return None
    if number not in invocation_pb2.RoutingPreference.values():
        raise invalid([("routing_preference", f"{number} is not one of its values")])
    return Preference[invocation_pb2.RoutingPreference.Name(number).removeprefix("ROUTING_PREFERENCE_")]


def explained(call: Call, found: Explanation, seen: Catalog) -> pb.ExplainPlanResponse:
    """Explanation -> message. `seen`: by the workspace that asks."""
    plan, refusal = found.plan, found.refusal
    return pb.ExplainPlanResponse(
        alias=call.alias,
        alias_version=plan.pool.alias.version if plan.pool.alias is not None else 0,
        operation=call.operation.value,
        strategy=plan.pool.strategy.value if call.target is None else "",
        preference=plan.preference.value if plan.preference is not None else "",
        stream_recovery=plan.stream_recovery.value,
        targets=[_target(each, seen) for each in found.targets],
        skips=[
            pb.SkippedTarget(
                target=invocation_pb2.ModelRef(provider=skip.target.provider, model=skip.target.model),
                reason=skip.reason,
                detail=skip.detail,
            )
            for skip in plan.skips
        ],
        error_reason=refusal.reason.value if refusal is not None else "",
        error_message=_message(refusal),
        why=found.why,
        max_attempts=found.max_attempts,
    )


def _message(refusal: Refusal | None) -> str:
    return refusal.message if refusal is not None else ""


def _target(each: Explained, seen: Catalog) -> pb.PlannedTarget:
    planned = each.planned
    return pb.PlannedTarget(
        target=ref(each),
        weight=planned.weight,
        priority=planned.priority,
        why=each.why,
        price_picodollars=each.price_picodollars,
        typical_wait=_duration(each.typical_s),
        timeouts=_timeouts(each.timeouts),
        context_tokens=planned.context_tokens,
        keys=[key_text(key, seen) for key in planned.keys if key.secret],
    )


def ref(each: Explained) -> invocation_pb2.ModelRef:
    return invocation_pb2.ModelRef(provider=each.planned.target.provider, model=each.planned.target.model)


def _timeouts(timeouts: Timeouts) -> invocation_pb2.Timeouts:
    return invocation_pb2.Timeouts(
        connect=_duration(timeouts.connect_s),
        ttft=_duration(timeouts.ttft_s),
        response=_duration(timeouts.response_s),
        stall=_duration(timeouts.stall_s),
    )


def _duration(seconds: float | None) -> Duration | None:
    return None if seconds is None else metering.duration(round(seconds * 1e9))

"""`taximeter explain`: the plan that a call would take now, and why. Nothing is called."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar.cli import Exit
from sidecar.commands.calling import where
from sidecar.commands.context import configuration, err, fail, out, print_json
from sidecar.commands.invoke import OPERATIONS
from sidecar.commands.show import ms
from sidecar.commands.tables import show_table
from sidecar.core.money import usd_text

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from sidecar.edge.choosing import Choosing
    from sidecar.edge.rpc import Rpc
    from taximeter.v1 import catalog_pb2, invocation_pb2
    from taximeter.v1.catalog_pb2_grpc import CatalogServiceStub

A = TypeVar("A")
PREFERENCES = ("quality", "speed", "cost")
TARGETS = ("#", "target", "why", "price", "typical wait", "time-outs", "context", "key")
ALONE = (
    "No sidecar answers here: this is the plan by the configuration alone. How providers fare, what their limits have "
    "left, and whose turn it is, only a running sidecar knows."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """The call that is asked about."""

    prompt: str
    alias: str
    task: str
    model: str
    capability: str
    operation: str
    prefer: tuple[str, ...]
    stream: bool
    max_tokens: int | None


def explain(wish: Wish, *, address: str, as_json: bool) -> int:
    """Asks the running sidecar, else the configuration. Returns an exit code."""
    from taximeter.v1 import catalog_pb2

    request = catalog_pb2.ExplainPlanRequest(call=asked(wish), streamed=wish.stream)
    found = by_sidecar(lambda catalog: catalog.ExplainPlan(request), address)
    alone = found is None
    plan = by_configuration(lambda choosing, rpc: choosing.explain_plan(request, rpc)) if found is None else found
    if as_json:
        from google.protobuf.json_format import MessageToDict

        print_json({"source": "configuration" if alone else "sidecar", **MessageToDict(plan)})
        return Exit.OK
    _show(plan)
    if alone:
        err.print(f"\n{ALONE}", style="yellow", markup=False)
    return Exit.OK


def asked(wish: Wish) -> invocation_pb2.CallSpec:
    """Ends the command if there is no such call."""
    if wish.operation not in ("", *OPERATIONS):
        fail(f"no operation {wish.operation!r}: {', '.join(OPERATIONS)}", Exit.USAGE)
    try:
        return spec(wish)
    except TypeError as wrong:
        fail(str(wrong), Exit.USAGE)


def spec(wish: Wish) -> invocation_pb2.CallSpec:
    """Raises TypeError for options that go ill together."""
    from taximeter import calls

    provider, _, model = wish.model.partition("/")
    given: dict[str, Any] = {
        "alias": wish.alias,
        "task": wish.task,
        "provider": provider,
        "model": model,
        "capability": wish.capability,
        "routing_preference": next((word for word in wish.prefer if word in PREFERENCES), ""),
        "preferred_provider": next((word for word in wish.prefer if word not in PREFERENCES), ""),
    }
    asked_for = wish.capability if wish.capability in OPERATIONS else "chat"
    operation = wish.operation or asked_for
    if operation in ("chat", "completion"):
        given["max_tokens"] = wish.max_tokens
    options = {name: value for name, value in given.items() if value}
    match operation:
        case "completion":
            return calls.completion_spec(wish.prompt, options)
        case "embedding":
            return calls.embedding_spec(wish.prompt, options)
        case "moderation":
            return calls.moderation_spec(wish.prompt, options)
    return calls.chat_spec(wish.prompt, options)


def by_sidecar(ask: Callable[[CatalogServiceStub], A], address: str) -> A | None:
    """None: nobody is there. Someone who was named has to be."""
    from taximeter import Client
    from taximeter.errors import SidecarUnavailable, TaximeterError
    from taximeter.v1.catalog_pb2_grpc import CatalogServiceStub

    at = where(address)
    try:
        with Client(at, timeout=10) as client:
            return ask(client.service(CatalogServiceStub))
    except TaximeterError as failed:
        if not isinstance(failed, SidecarUnavailable) or failed.reason:
            fail(f"{failed} ({failed.reason or failed.code})")
        if address or os.environ.get("TAXIMETER_ADDRESS"):
            fail(f"no sidecar answers at {at}", Exit.UNREACHABLE)
    return None


def by_configuration(ask: Callable[[Choosing, Rpc], A]) -> A:
    """As a sidecar that has just started would answer."""
    from sidecar.core.clock import Clock
    from sidecar.core.faults import Refusal
    from sidecar.edge.alone import choosing_alone
    from sidecar.pricing import PriceFileError

    loaded = configuration()
    try:
        return ask(*choosing_alone(loaded.catalog, loaded.settings.prices_file, Clock(), loaded.settings.max_tags))
    except Refusal as refusal:
        fail(f"{refusal.message} ({refusal.reason})")
    except PriceFileError as wrong:
        fail(str(wrong), Exit.USAGE)


def _show(plan: catalog_pb2.ExplainPlanResponse) -> None:
    out.print(plan.why, markup=False, style="bold")
    recovery = f", a broken stream: {plan.stream_recovery}" if plan.stream_recovery != "error" else ""
    out.print(f"{plan.operation}, at most {plan.max_attempts} attempts{recovery}\n", markup=False)
    if plan.targets:
        rows = [_target(number, each) for number, each in enumerate(plan.targets, 1)]
        show_table(TARGETS, rows, right=("#", "price", "context"), spare=("context", "key", "time-outs"))
    if plan.error_reason:
        out.print(f"the call would fail: {plan.error_message} ({plan.error_reason})", style="red", markup=False)
    if plan.skips:
        out.print()
        skips = [(named(skip.target), skip.reason, skip.detail or "-") for skip in plan.skips]
        show_table(("passed over", "reason", "detail"), skips, whole=("passed over", "reason"))


def _target(number: int, each: catalog_pb2.PlannedTarget) -> tuple[object, ...]:
    waits = each.timeouts
    return (
        number,
        named(each.target),
        each.why,
        f"${usd_text(each.price_picodollars)}" if each.HasField("price_picodollars") else None,
        ms(each.typical_wait.ToNanoseconds() / 1e6) if each.HasField("typical_wait") else None,
        f"{_s(waits.connect)} connect, {_s(waits.ttft)} ttft, {_s(waits.response)} response, {_s(waits.stall)} stall",
        f"{each.context_tokens:,}" if each.context_tokens else None,
        ", ".join(each.keys) or None,
    )


def named(target: invocation_pb2.ModelRef) -> str:
    return f"{target.provider}/{target.model}" if target.model else target.provider


def _s(wait: Duration) -> str:
    return f"{wait.ToNanoseconds() / 1e9:g}s"

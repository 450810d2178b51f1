"""Plans calls: for the invoker, and for those who only want to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sidecar.core.call import Call, Skip, Timeouts
from sidecar.core.catalog import Catalog
from sidecar.core.faults import Fault, Refusal, RefusalReason, Unsupported
from sidecar.health import Health
from sidecar.invoker import refusals
from sidecar.invoker.asked import as_alias_has_it
from sidecar.invoker.meter import Estimate, Prices
from sidecar.invoker.outlook import Outlook
from sidecar.invoker.pools import Pools
from sidecar.limits import Limits
from sidecar.providers.wire import Wire
from sidecar.routing import Plan, Planned, plan, reasons, summary, timeouts_for

STAYS = "After a failure no other target is tried (AI_RETRY_FAILED=false)."


@dataclass(frozen=True, slots=True)
class Explained:
    """A target of a plan, and what speaks for its place."""

    planned: Planned
    why: str
    price_picodollars: int | None
    """Of a call of this size; None: no price is known."""
    typical_s: float | None
    """The usual wait for its first content; None: not measured yet."""
    timeouts: Timeouts


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a call would do now."""

    plan: Plan
    targets: tuple[Explained, ...]
    why: str
    max_attempts: int
    refusal: Refusal | None = None
    """How it would end, if no target is left."""


class Planner:
    def __init__(
        self,
        *,
        wires: Callable[[str], Wire],
        prices: Prices,
        estimate: Estimate,
        health: Health,
        limits: Limits,
        random: Callable[[], float],
    ) -> None:
        self._wires = wires
        self._estimate = estimate
        self._health = health
        self._limits = limits
        self._random = random
        self._pools = Pools(wires, prices, estimate)

    def plan(self, call: Call, catalog: Catalog) -> tuple[Plan, Outlook]:
        """The call's plan; its turn is taken."""
        return self._plan(call, catalog, take=True)

    def explain(self, call: Call, catalog: Catalog) -> Explanation:
        """The plan that the call would get now. Nothing is sent, and no turn taken."""
        made, outlook = self._plan(call, catalog, take=False)
        call = as_alias_has_it(call, made.pool.alias, zero_retention=catalog.zero_retention)
        targets, unfit, refusal = self._fitting(made, call)
        made = replace(made, targets=targets, skips=(*made.skips, *unfit))
        if not targets and refusal is None:
            refusal = refusals.nobody_left(
                call,
                catalog,
                made.pool,
                made.skips,
                unsupported=unfit[-1].detail if unfit else "",
                retry_after_s=made.retry_after_s,
            )
        prices = {each.target: self._pools.price(each, call) for each in targets}
        explained = tuple(
            Explained(
                planned=each,
                why=why,
                price_picodollars=prices[each.target],
                typical_s=outlook.typical_s(each.target, call.streamed),
                timeouts=timeouts_for(call, each, catalog.time_scale),
            )
            for each, why in zip(targets, reasons(made, call, outlook, prices), strict=True)
        )
        why = summary(made, call)
        if len(targets) > 1 and not catalog.retry.retry_failed:
            why = f"{why} {STAYS}"
        return Explanation(made, explained, why, 1 + catalog.retry.max_retries, refusal)

    def told(self, made: Plan, call: Call, outlook: Outlook) -> Mapping[str, object]:
        """The plan, as the log tells it."""
        prices = {each.target: self._pools.price(each, call) for each in made.targets}
        whys = zip(made.targets, reasons(made, call, outlook, prices), strict=True)
        return {
            "why": summary(made, call),
            "order": [f"{each}: {why}" for each, why in whys],
            "skips": [f"{it.target.provider}/{it.target.model}: {it.reason} ({it.detail})" for it in made.skips],
        }

    def _plan(self, call: Call, catalog: Catalog, *, take: bool) -> tuple[Plan, Outlook]:
        pool, turns = self._pools.of(call, catalog)
        outlook = Outlook(call, self._health, self._limits, self._estimate)
        made = plan(
            pool,
            call,
            turn=turns.take() if take else turns.taken,
            chance=self._random(),
            view=outlook,
            price=self._pools.price,
            longest_wait_s=catalog.retry.retry_after_max_s * catalog.time_scale,
        )
        return made, outlook

    def _fitting(self, made: Plan, call: Call) -> tuple[tuple[Planned, ...], tuple[Skip, ...], Refusal | None]:
        """The targets whose wire can express the request, the others as skips; and the refusal of one that none can.

        A call without a payload is only about the choice.
        """
        if call.payload is None:
            return made.targets, (), None
        fit, unfit = [], []
        for each in made.targets:
            codec = self._wires(each.account.wire_for(each.target.model))[call.operation]
            try:
                stream = call.streamed and codec.reader is not None
                codec.encode(call.payload, each.target.model, stream, each.account, each.keys[0].secret)
                fit.append(each)
            except Unsupported as fault:
                unfit.append(Skip(each.target, "NOT_SUPPORTED", fault.message))
            except Fault as fault:
                return (), tuple(unfit), Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, fault.message)
        return tuple(fit), tuple(unfit), None

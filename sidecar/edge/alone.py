"""What a sidecar that has just started would answer, for a command line that finds none."""

from __future__ import annotations

import random
from pathlib import Path

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE
from sidecar.edge.auth import Identity
from sidecar.edge.choosing import SERVICE, Choosing
from sidecar.edge.rpc import Rpc
from sidecar.health import Health
from sidecar.invoker import Planner
from sidecar.limits import Limits
from sidecar.pricing import Pricing
from sidecar.pricing.estimate import estimate
from sidecar.providers import registry


def choosing_alone(catalog: Catalog, prices_file: Path | None, clock: Clock, max_tags: int) -> tuple[Choosing, Rpc]:
    """And an RPC to ask it with. Raises PriceFileError."""
    pricing = Pricing(prices_file, clock)
    pricing.preload()
    planner = Planner(
        wires=registry.wire,
        prices=pricing,
        estimate=estimate,
        health=Health(catalog.breaker, clock, catalog.time_scale),
        limits=Limits(clock, catalog.time_scale),
        random=random.random,
    )
    choosing = Choosing(lambda call: planner.explain(call, catalog), lambda _: catalog, pricing, clock, max_tags)
    rpc = Rpc(f"{SERVICE}/ExplainPlan", Identity(DEFAULT_WORKSPACE), {}, None, lambda _done: None)
    return choosing, rpc

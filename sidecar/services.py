"""Every service that the sidecar offers, over the engine that does the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sidecar.core.control import Role
from sidecar.edge import (
    aliases,
    audit,
    billing,
    budgets,
    config,
    invocation,
    keys,
    models,
    prices,
    tokens,
    usage,
    workspaces,
)
from sidecar.edge import catalog as catalog_service
from sidecar.edge.auth import Callers, Tokenless
from sidecar.edge.budgets_subjects import Subjects
from sidecar.edge.budgets_watch import BudgetWatch
from sidecar.edge.choosing import Choosing
from sidecar.edge.gate import Gate
from sidecar.edge.health import HealthView
from sidecar.edge.jwks import KeySet, Where
from sidecar.edge.jwt import Accepted, JwtTokens
from sidecar.edge.keys_check import KeyCheck
from sidecar.edge.prices_compare import Comparing
from sidecar.edge.prices_rerate import Rerating
from sidecar.edge.replay import Once
from sidecar.edge.rpc import Border, Handlers
from sidecar.edge.watch import HealthWatch
from sidecar.engine import Engine
from sidecar.plane.price_tables import PriceTables
from sidecar.plane.rerating import Rerater
from sidecar.plane.verification import Verifier
from sidecar.providers import registry
from sidecar.reload import followed
from sidecar.settings import opened
from sidecar.settings.built_in import default_aliases


@dataclass(frozen=True, slots=True)
class Services:
    by_name: Mapping[str, Handlers]
    gate: Gate
    watch: HealthWatch
    budget_watch: BudgetWatch
    closing: tuple[Callable[[], Awaitable[None]], ...]
    """What is to be called in the end."""


def services(engine: Engine) -> Services:
    settings, clock = engine.settings, engine.clock
    system = engine.system
    view = HealthView(engine.health, engine.prober, engine.limits.snapshot)
    watch = HealthWatch(view, engine.catalogs.of)
    engine.health.changed = watch.changed
    gate = Gate(settings.max_calls)
    followed(engine.configuration, engine.health, engine.limits, gate)
    relay = usage.UsageRelay(settings.home / "bookkeeper.sock")
    issuer = KeySet(Where(settings.jwt_issuer, settings.jwt_jwks_url), engine.transport, clock, engine.log)
    border = Border(_callers(engine, issuer), gate, engine.log, settings.max_message_bytes)
    once = Once(engine.invoker, engine.requests, gate, relay.metering)
    calls = invocation.InvocationService(
        engine.invoker, once, engine.catalogs.of, gate, clock, max_tags=settings.max_tags
    )
    known = catalog_service.CatalogService(engine.catalogs.of, engine.pricing, view, watch, engine.prober)
    choosing = Choosing(engine.invoker.explain, engine.catalogs.of, engine.pricing, clock, settings.max_tags)
    budget_watch = BudgetWatch(
        partial(budgets.statuses, engine.budgets),
        lambda: (engine.journal.position, engine.plane.control.generation),
        engine.budgets.now_ns,
    )
    by_name = {
        invocation.SERVICE: calls.handlers(border),
        catalog_service.SERVICE: {**known.handlers(border), **choosing.handlers(border)},
        config.SERVICE: config.ConfigService(engine.configuration).handlers(border),
        models.SERVICE: models.ModelService(engine.catalogs.of, engine.transport).handlers(border),
        keys.SERVICE: _keys(engine).handlers(border),
        aliases.SERVICE: aliases.AliasService(engine.plane, system, engine.catalogs.of, clock).handlers(border),
        usage.SERVICE.full_name: relay.handlers(border),
        budgets.SERVICE: _budgets(engine, budget_watch).handlers(border),
        prices.SERVICE: _prices(engine).handlers(border),
        audit.SERVICE: audit.AuditService(engine.plane).handlers(border),
        billing.SERVICE: billing.BillingService(engine.plane, relay).handlers(border),
        tokens.SERVICE: tokens.TokenService(engine.plane, clock).handlers(border),
        workspaces.SERVICE: workspaces.WorkspaceService(engine.plane, relay, default_aliases, clock).handlers(border),
    }
    return Services(by_name, gate, watch, budget_watch, (relay.close, issuer.close))


def _callers(engine: Engine, issuer: KeySet) -> Callers:
    settings = engine.settings
    tokenless = Tokenless(Role(settings.local_role), settings.require_token)
    default = None if settings.jwt_default_role == "none" else Role(settings.jwt_default_role)
    accepted = Accepted(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_workspace_claim,
        settings.jwt_role_claim,
        default,
        settings.jwt_algorithms,
    )
    others = JwtTokens(accepted, issuer, engine.clock) if settings.jwt_issuer else None
    return Callers(lambda: engine.plane.control, engine.clock, tokenless, others)


def _keys(engine: Engine) -> keys.KeyService:
    verifier = Verifier(registry.wire, engine.transport, engine.clock, lambda: engine.system().time_scale)
    opening = partial(opened, wires=registry.built())
    check = KeyCheck(verifier, engine.system, opening, allow_private=engine.settings.allow_private_urls)
    return keys.KeyService(engine.plane, engine.vault, check, engine.health, engine.catalogs.locked)


def _budgets(engine: Engine, watch: BudgetWatch) -> budgets.BudgetService:
    def platform_keys() -> set[str]:
        return {key.key_id for account in engine.system().accounts.values() for key in account.keys}

    subjects = Subjects(lambda: engine.plane.control, lambda name: engine.catalogs.of(name).aliases, platform_keys)
    return budgets.BudgetService(engine.plane, engine.budgets, engine.opening, watch, subjects)


def _prices(engine: Engine) -> prices.PriceService:
    tables = PriceTables(engine.pricing, engine.system, engine.clock)
    rerater = Rerater(engine.ledger, engine.pricing, engine.catalogs.of, engine.system)
    return prices.PriceService(
        engine.plane, Comparing(tables, engine.clock), Rerating(engine.plane, rerater, engine.clock)
    )

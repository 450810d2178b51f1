"""The sidecar's messages as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dashboards import said
from dashboards.context import EVERYWHERE, Viewer

SCOPES = ("text", "image", "audio", "video")


def target(told: Any) -> said.Target:
    """Of a TargetHealth."""
    return said.Target(
        provider=told.target.provider,
        model=told.target.model,
        circuit=_word(told, "circuit", "CIRCUIT_STATE_"),
        requests=told.requests,
        errors=told.errors,
        success_rate=told.success_rate if told.HasField("mean") or told.last_error_type else None,
        mean_ms=_ms(told, "mean"),
        p95_ms=_ms(told, "p95"),
        first_token_p50_ms=_ms(told, "first_token_p50"),
        retry_at=_at(told, "retry_at"),
        last_used_at=_at(told, "last_used_at"),
        last_error_type=told.last_error_type,
        last_error_at=_at(told, "last_error_at"),
        cooling_until=_at(told, "cooling_until"),
        blocked=told.blocked_reason,
    )


def account(told: Any) -> said.Account:
    """Of an AccountHealth."""
    return said.Account(
        provider=told.provider,
        state=told.state,
        keys_aside=tuple(told.keys_aside),
        in_flight=told.in_flight,
        max_concurrent=_given(told, "max_concurrent"),
        requests=_rate(told, "requests"),
        tokens=_rate(told, "tokens"),
        probed_at=_at(told, "probed_at"),
        probe_error_type=told.probe_error_type,
    )


def _rate(told: Any, name: str) -> said.Rate | None:
    if not told.HasField(name):
        return None
    rate = getattr(told, name)
    return said.Rate(_given(rate, "limit_per_minute"), _given(rate, "remaining"), rate.source)


def price(told: Any) -> said.Price:
    """Of a Price."""
    return said.Price(told.ref.provider, told.ref.model, told.source, told.version, told.dated)


def provider(told: Any) -> said.Provider:
    """Of a Provider."""
    return said.Provider(told.name, told.type, told.key, told.usable, told.reason, tuple(told.operations))


def key(told: Any) -> said.Key:
    """Of a ProviderKey."""
    return said.Key(
        key_id=told.key_id,
        workspace=told.workspace_id,
        provider=told.provider,
        label=told.label,
        masked=told.masked,
        scopes=tuple(name for name in SCOPES if getattr(told.scopes, name)),
        state=_word(told, "state", "KEY_STATE_"),
        created_at=_at(told, "created_at"),
        verified_at=_at(told, "verified_at"),
    )


def alias(told: Any) -> said.Alias:
    """Of an AliasVersion."""
    defined = told.alias
    return said.Alias(
        name=defined.name,
        display_name=defined.display_name,
        chain=tuple(_step(each) for each in defined.targets),
        strategy=_word(defined, "strategy", "ROUTING_STRATEGY_").replace("unspecified", "failover"),
        preference=_word(defined, "routing_preference", "ROUTING_PREFERENCE_").replace("unspecified", ""),
        version=told.version,
        source=told.source,
        created_at=_at(told, "created_at"),
        created_by=told.created_by,
        usable=told.usable,
        reason=told.reason,
        limits=tuple(_limits(defined.limits)),
    )


def _step(told: Any) -> said.Step:
    weight = _given(told, "weight")
    return said.Step(told.provider, told.model, 1 if weight is None else weight, _given(told, "priority"))


def _limits(told: Any) -> Iterator[str]:
    words = {"max_concurrent": "at once", "requests_per_minute": "a minute", "max_tokens": "output tokens"}
    for name, unit in words.items():
        limit = _given(told, name)
        if limit is not None:
            yield f"{limit:,} {unit}"


def budget(told: Any) -> said.Budget:
    """Of a BudgetStatus."""
    defined = told.budget
    return said.Budget(
        budget_id=defined.budget_id,
        workspace=defined.workspace_id,
        name=defined.name,
        scope=_word(defined, "scope", "BUDGET_SCOPE_"),
        subject=defined.subject,
        window=_word(defined, "window", "BUDGET_WINDOW_"),
        time_zone=defined.time_zone or "UTC",
        start=told.window_start.ToDatetime(UTC),
        end=_at(told, "window_end"),
        measures=tuple(_measure(each) for each in told.measures),
        state=told.state,
        soft_percent=defined.soft_percent if defined.HasField("soft_percent") else 80,
        soft_only=defined.soft_only,
        refused=told.refused,
        imposed=defined.imposed,
    )


def _measure(told: Any) -> said.Measure:
    limit, spent, held, remaining = map(Decimal, (told.limit, told.spent, told.held, told.remaining))
    return said.Measure(told.unit, limit, spent, held, remaining, told.used_percent / 100)


def _word(message: Any, field: str, prefix: str) -> str:
    """An enum's value as people say it."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(message, field)].name).removeprefix(prefix).lower().replace("_", " ")


def _at(message: Any, name: str) -> datetime | None:
    at: datetime | None = getattr(message, name).ToDatetime(UTC) if message.HasField(name) else None
    return at


def _ms(message: Any, name: str) -> float | None:
    return getattr(message, name).ToNanoseconds() / 1e6 if message.HasField(name) else None


def _given(message: Any, name: str) -> int | None:
    """None where it was not said; an explicit 0 is 0."""
    value: int | None = getattr(message, name) if message.HasField(name) else None
    return value


def viewer(told: Any, token: str) -> Viewer:
    """Of a WhoAmIResponse. Auditors, and administrators of the workspace "default", see all workspaces."""
    role = _word(told, "role", "CALLER_ROLE_")
    if role == "admin" and told.workspace_id == "default":
        role = "operator"
    return Viewer(None if role in EVERYWHERE else told.workspace_id, role, told.caller, token)

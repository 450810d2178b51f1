"""What the running sidecar says, in plain values: no secret is among them. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Target:
    """How a provider's model fares. What this viewer may not know is None."""

    provider: str
    model: str
    circuit: str
    """closed, open or half open."""
    requests: int
    errors: int
    success_rate: float | None
    mean_ms: float | None
    p95_ms: float | None
    first_token_p50_ms: float | None
    retry_at: datetime | None
    last_used_at: datetime | None
    last_error_type: str
    last_error_at: datetime | None
    cooling_until: datetime | None
    """Rate-limited until then."""
    blocked: str
    """Why it would be passed over now; empty: it would be tried."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of so many in a minute."""

    limit: int | None
    remaining: int | None
    source: str
    """configured, or learned from the provider's answers."""


@dataclass(frozen=True, slots=True)
class Account:
    """A provider as it is set up."""

    provider: str
    state: str
    """ "usable", or why not."""
    keys_aside: tuple[str, ...]
    """Masked; put aside because the provider rejected them."""
    in_flight: int
    max_concurrent: int | None
    requests: Rate | None
    tokens: Rate | None
    probed_at: datetime | None
    probe_error_type: str


@dataclass(frozen=True, slots=True)
class Health:
    targets: tuple[Target, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One limit of a budget. US dollars, or a count."""

    unit: str
    """usd, tokens or requests."""
    limit: Decimal
    spent: Decimal
    held: Decimal
    remaining: Decimal
    used: float
    """Share of the limit, 0 to 1 and more."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget, and how it stands in its window."""

    budget_id: str
    workspace: str
    name: str
    scope: str
    """workspace, key, alias or caller."""
    subject: str
    window: str
    """day, week, month or total."""
    time_zone: str
    start: datetime
    end: datetime | None
    measures: tuple[Measure, ...]
    state: str
    """ok, soft, reached or opening."""
    soft_percent: int
    soft_only: bool
    refused: int
    imposed: bool


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of the configuration, or of the workspace's keys."""

    name: str
    type: str
    masked: str
    """Its first key; "platform": the operator's, seen by another workspace."""
    usable: bool
    reason: str
    """Why not."""
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A workspace's own provider key."""

    key_id: str
    workspace: str
    provider: str
    label: str
    masked: str
    """ "sk-...abcd"."""
    scopes: tuple[str, ...]
    state: str
    created_at: datetime | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One target of an alias' chain."""

    provider: str
    model: str
    weight: int
    priority: int | None


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a chain of models, as it is in force."""

    name: str
    display_name: str
    chain: tuple[Step, ...]
    strategy: str
    preference: str
    version: int
    source: str
    """workspace, default (made with the workspace) or configuration."""
    created_at: datetime | None
    created_by: str
    usable: bool
    reason: str
    limits: tuple[str, ...]
    """In words."""


@dataclass(frozen=True, slots=True)
class Price:
    """The rates in force of a model."""

    provider: str
    model: str
    source: str
    version: str
    dated: str
    """The day from which it holds, or on which it was read; empty: not known."""

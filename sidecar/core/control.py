"""What the control plane holds: workspaces, callers, keys, aliases, budgets, prices. Frozen; a change makes a new one.

Times are UTC nanoseconds, money is picodollars. Names of fields that hold secrets, or what opens them, stand in
`SECRET_FIELDS`: no audit entry, export, log or reply has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sidecar.core.call import ALL_SCOPES, KeyScope

DEFAULT_WORKSPACE = "default"
SECRET_FIELDS = frozenset({"secret_hash", "sealed", "wrapped"})


class Role(StrEnum):
    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    AUDITOR = "auditor"


class PlatformKeys(StrEnum):
    """Whether the operator's own keys serve a workspace."""

    NEVER = "never"
    FALLBACK = "fallback"
    """Behind every target that the workspace's own keys open."""
    ALWAYS = "always"
    """At every target, after the workspace's own keys there."""


@dataclass(frozen=True, slots=True)
class Workspace:
    name: str
    display_name: str = ""
    platform_keys: PlatformKeys = PlatformKeys.NEVER
    zero_retention: bool = False
    created_ns: int = 0
    archived_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    token_id: str
    workspace: str
    name: str
    role: Role
    secret_hash: bytes = field(repr=False)
    """SHA-256 of the secret, which has 256 random bits."""
    created_ns: int = 0
    created_by: str = ""
    expires_ns: int | None = None
    revoked_ns: int | None = None


@dataclass(frozen=True, slots=True)
class DataKey:
    """What a workspace's secrets are sealed with, itself wrapped by a key-encryption key."""

    data_key_id: str
    workspace: str
    kek_id: str
    wrapped: bytes = field(repr=False)
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A workspace's own key at a provider."""

    key_id: str
    workspace: str
    provider: str
    """Account name of the configuration: "openai", "groq", "azure" ..."""
    label: str
    masked: str
    """ "sk-...abcd" """
    data_key_id: str
    sealed: bytes = field(repr=False)
    """Empty once revoked."""
    scopes: frozenset[KeyScope] = ALL_SCOPES
    enabled: bool = True
    base_url: str = ""
    """Of an account elsewhere than the provider's usual address."""
    version: int = 1
    """Counts the secrets that this id has had."""
    created_ns: int = 0
    created_by: str = ""
    verified_ns: int | None = None
    revoked_ns: int | None = None


@dataclass(frozen=True, slots=True)
class AliasVersion:
    """One version of a workspace's alias. `definition` is taximeter.v1.AliasDefinition as JSON (proto3 names)."""

    workspace: str
    name: str
    version: int
    definition: Mapping[str, object]
    created_ns: int = 0
    created_by: str = ""
    source: str = "workspace"
    """workspace | default (made with the workspace)"""
    deleted: bool = False


class BudgetScope(StrEnum):
    WORKSPACE = "workspace"
    KEY = "key"
    ALIAS = "alias"
    CALLER = "caller"


class Window(StrEnum):
    DAY = "day"
    WEEK = "week"
    """From Monday on."""
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    budget_id: str
    workspace: str
    name: str
    scope: BudgetScope
    subject: str = ""
    """Key id, alias or caller; empty for the workspace."""
    window: Window = Window.MONTH
    time_zone: str = "UTC"
    """IANA name."""
    limit_picodollars: int | None = None
    limit_tokens: int | None = None
    limit_requests: int | None = None
    soft_percent: int = 80
    soft_only: bool = False
    """Only alerts, nothing is refused."""
    shrink: bool = True
    """Ask for less output when only that keeps a call from fitting."""
    allow_unpriced: bool = False
    """A model without a known price may be used under a USD limit; only its tokens and requests count."""
    count_at_risk: bool = True
    """Count what a provider may have billed without saying so."""
    imposed: bool = False
    """Made by the operator for another workspace: only the operator may change it."""
    created_ns: int = 0
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """`rates`: (meter, decimal USD as text, above_input_tokens), as in taximeter.v1.PriceRate."""

    price_id: str
    provider: str
    model: str
    rates: tuple[tuple[str, str, int], ...]
    effective: str = ""
    """ "2026-01-31", from 00:00 UTC; empty: always."""
    source: str = ""
    created_ns: int = 0
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    sequence: int
    """Given by the store."""
    at_ns: int
    workspace: str
    actor: str
    action: str
    """ "key.add", "alias.update", "token.revoke" ..."""
    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something."""

    name: str
    """Token id, "cert:<name>", "jwt:<subject>", "local"."""
    origin: str = ""
    """The peer's address, "unix", "cli"."""


@dataclass(frozen=True, slots=True)
class Control:
    """All of it at one moment. `generation` counts changes."""

    generation: int = 0
    workspaces: Mapping[str, Workspace] = field(default_factory=dict)
    """By name; "default" is always there."""
    tokens: Mapping[str, Token] = field(default_factory=dict)
    """By token id, revoked ones too."""
    keys: Mapping[str, ProviderKey] = field(default_factory=dict)
    """By key id, revoked ones too."""
    data_keys: Mapping[str, DataKey] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], AliasVersion] = field(default_factory=dict)
    """(workspace, name) -> the newest version, unless that says deleted."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    prices: tuple[PriceOverride, ...] = ()


NOTHING = Control(workspaces={DEFAULT_WORKSPACE: Workspace(DEFAULT_WORKSPACE, platform_keys=PlatformKeys.ALWAYS)})
"""Before anything was changed."""

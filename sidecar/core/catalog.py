"""What is configured: accounts at providers, and aliases over them. Frozen; a reload swaps the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sidecar.core.call import (
    ALL_SCOPES,
    Capability,
    KeyScope,
    Operation,
    Preference,
    Strategy,
    StreamRecovery,
    Target,
    Timeouts,
)

SECRET_LENGTH = 8
"""Characters from which on a key is taken for a secret: servers without keys are given words like "none"."""


@dataclass(frozen=True, slots=True)
class Key:
    """A provider key. `secret` never leaves the transport."""

    key_id: str
    secret: str = field(repr=False)
    owner: str = "platform"
    """platform | workspace"""
    scopes: frozenset[KeyScope] = ALL_SCOPES

    @property
    def masked(self) -> str:
        """First and last characters only: "sk-...abcd"; short keys show nothing."""
        return f"{self.secret[:3]}...{self.secret[-4:]}" if len(self.secret) >= 12 else "..." if self.secret else ""

    def hidden_in(self, text: str) -> str:
        """A provider's words, masked where they repeat the key. What is too short to be a secret stays as it is."""
        return text.replace(self.secret, self.masked) if len(self.secret) >= SECRET_LENGTH else text

    def hidden_in_bytes(self, data: bytes) -> bytes:
        """The same of what has not been read yet."""
        secret = self.secret.encode()
        if len(self.secret) < SECRET_LENGTH or secret not in data:
            return data
        return data.replace(secret, self.masked.encode())


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an account may be asked at most, over all its models. None: no limit."""

    max_concurrent: int | None = None
    """Requests in flight at once."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Input and output together."""


NO_LIMITS = RateLimits()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider's answer tells of one of its limits."""

    unit: str
    """requests | tokens"""
    limit: int
    """In one window."""
    remaining: int
    reset_s: float | None = None
    """Until the limit is whole again; None: not told."""
    window_s: float | None = None
    """None: not told."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one provider: where it is, how it is spoken to, which keys open it."""

    name: str
    type: str
    """Row of providers.toml: "openai", "groq", "openai-compatible", "local" ..."""
    wire: str
    """Which codec family it speaks: "openai"."""
    base_url: str
    keys: tuple[Key, ...] = ()
    needs_key: bool = True
    enabled: bool = True
    weight: int = 1
    aggregator: bool = False
    capabilities: frozenset[Capability] = frozenset()
    operations: frozenset[Operation] = frozenset()
    default_models: Mapping[str, str] = field(default_factory=dict)
    """Slot -> model: smart, fast, image, embedding, moderation, completion."""
    timeouts: Timeouts = Timeouts()
    otel_name: str = ""
    """gen_ai.provider.name; the type if empty."""
    price_provider: str = ""
    """Under which name the price table knows it; empty = the type."""
    declared_price_zero: bool = False
    """Self-hosted: costs 0 by declaration."""
    unusable: str = ""
    """Why it cannot be used ("OPENAI_API_KEY is not set"); empty if it can."""
    options: Mapping[str, object] = field(default_factory=dict)
    """What its wire needs besides (api_version, ...)."""
    display: str = ""
    """The provider's name for people: "OpenAI"; the account's name if empty."""
    model_wires: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a model's name -> the wire it is spoken to by, where that is not the account's."""
    deployments: bool = False
    """Its models go by names of the user's own, which say nothing of what they are (Azure)."""
    limits: RateLimits = NO_LIMITS
    owner: str = ""
    """The workspace whose own keys open it; empty = the operator's."""
    zero_retention: bool = False
    """The provider is asked to keep nothing, where it can be asked."""
    closed: bool = False
    """The operator's, who lets it serve other workspaces only: no key would open it."""

    @property
    def usable(self) -> bool:
        return self.enabled and not self.unusable

    def wire_for(self, model: str) -> str:
        found = (wire for pattern, wire in self.model_wires.items() if fnmatchcase(model, pattern))
        return next(found, self.wire)


@dataclass(frozen=True, slots=True)
class Route:
    """A place in an alias's chain. Higher weight or lower `priority` goes first under failover."""

    target: Target
    weight: int = 1
    """0 = only as fallback."""
    priority: int | None = None
    """Overrides weight under failover: ascending."""
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a chain of targets. A task is an alias."""

    name: str
    routes: tuple[Route, ...]
    strategy: Strategy = Strategy.FAILOVER
    preference: Preference | None = None
    stream_recovery: StreamRecovery = StreamRecovery.ERROR
    allow_aggregators: bool = True
    version: int = 0
    """Of a workspace's own definition, from 1; 0 = the configuration's."""
    timeouts: Timeouts = Timeouts()
    operation: Operation | None = None
    """The operation its default models serve; None = any."""
    unusable: str = ""
    """Why no call to it can work ("AI_IMAGE_PROVIDER=ollama: Ollama does not offer image generation")."""
    key_hints: tuple[str, ...] = ()
    """Provider names of which one would make it work."""
    fallback_on_budget: bool = True
    """Go on with the next target when the budget of a key is used up."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of the payload's fields, where the caller sets none."""
    max_tokens: int | None = None
    """A call that asks for more output, or does not say, gets this much."""
    limits: RateLimits = NO_LIMITS
    """Of all calls to it together; tokens are not limited."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """contracts: at most 1 + max_retries attempts a call."""

    max_retries: int = 3
    retry_failed: bool = True
    """False = never the next target."""
    backoff_min_s: float = 0.2
    backoff_max_s: float = 2.0
    retry_after_max_s: float = 5.0
    """The longest Retry-After that is waited for on the same target."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    consecutive_failures: int = 5
    failure_ratio: float = 0.5
    min_calls: int = 10
    window_s: float = 30.0
    first_probe_s: float = 10.0
    max_probe_s: float = 25.0


SYSTEM_TIMEOUTS = Timeouts(connect_s=5.0, ttft_s=10.0, response_s=60.0, stall_s=20.0)
REASONING_TIMEOUTS = Timeouts(connect_s=5.0, ttft_s=60.0, response_s=170.0, stall_s=20.0)


UNBOUNDED_OUTPUT_TOKENS = 16_384
"""Taken for the longest answer of a model whose limit is not known."""
UNBOUNDED_REASONING_TOKENS = 65_536


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the catalogue knows of a model."""

    context_tokens: int = 0
    """0 = not known."""
    reasoning: bool = False
    max_output_tokens: int = 0
    """0 = not known."""

    @property
    def most_output_tokens(self) -> int:
        """Of an answer whose call sets no limit."""
        return self.max_output_tokens or (UNBOUNDED_REASONING_TOKENS if self.reasoning else UNBOUNDED_OUTPUT_TOKENS)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that routing needs to know of the configuration."""

    accounts: Mapping[str, Account]
    aliases: Mapping[str, Alias]
    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerPolicy = BreakerPolicy()
    time_scale: float = 1.0
    """Multiplies every time-out, back-off and breaker time; 1 outside tests."""
    default_deadline_s: float = 180.0
    tag_keys: frozenset[str] = frozenset()
    """Tags that are kept; others are refused."""
    max_answer_bytes: int = 32 * 1024 * 1024
    workspace: str = "default"
    """Whose view it is."""
    zero_retention: bool = False
    """Nothing of its calls is kept but what they cost."""
    reserve: Mapping[str, Account] = field(default_factory=dict)
    """By name, the operator's accounts that stand behind all of the workspace's own (platform_keys = fallback)."""


def owned(catalog: Catalog, owner: str) -> dict[str, Account]:
    """The accounts that a workspace's own keys open, or ("") the operator's."""
    return {name: account for name, account in catalog.accounts.items() if account.owner == owner}


def account_of(catalog: Catalog, target: Target) -> Account | None:
    """The account of that name and owner; None: the catalogue has none."""
    held = (catalog.accounts.get(target.provider), catalog.reserve.get(target.provider))
    return next((account for account in held if account is not None and account.owner == target.owner), None)

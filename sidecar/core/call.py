"""One call and all that is told of it. `CallRecord` is the book's entry: rows, spans and budgets are drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

RECORD_VERSION = 1


class Operation(StrEnum):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    MODERATION = "moderation"
    IMAGE_GENERATE = "image.generate"
    IMAGE_EDIT = "image.edit"
    IMAGE_VARIATION = "image.variation"
    SPEECH_TRANSCRIBE = "speech.transcribe"
    SPEECH_SYNTHESIZE = "speech.synthesize"
    VIDEO_GENERATE = "video.generate"
    VIDEO_EDIT = "video.edit"
    VIDEO_CAPTION = "video.caption"
    UNKNOWN = ""
    """Of a call without a payload, which is refused."""


class Capability(StrEnum):
    TEXT_GENERATION = "text_generation"
    CHAT = "chat"
    CODE_GENERATION = "code_generation"
    TRANSLATION = "translation"
    SUMMARIZATION = "summarization"
    EMBEDDING = "embedding"
    IMAGE_GENERATION = "image_generation"
    AUDIO_GENERATION = "audio_generation"
    VIDEO_GENERATION = "video_generation"
    MODERATION = "moderation"


class KeyScope(StrEnum):
    """What a provider key may be used for."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


ALL_SCOPES = frozenset(KeyScope)


def scope_of(operation: Operation) -> KeyScope:
    """chat, completion, embedding and moderation are text."""
    return _SCOPES.get(operation.value.partition(".")[0], KeyScope.TEXT)


_SCOPES = {"image": KeyScope.IMAGE, "speech": KeyScope.AUDIO, "video": KeyScope.VIDEO}


class Strategy(StrEnum):
    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    WEIGHTED = "weighted"
    FAILOVER = "failover"


class Preference(StrEnum):
    QUALITY = "quality"
    SPEED = "speed"
    COST = "cost"


class StreamRecovery(StrEnum):
    ERROR = "error"
    RESTART = "restart"
    BUFFER = "buffer"


class CallStatus(StrEnum):
    OPEN = "open"
    OK = "ok"
    ERROR = "error"
    """Attempts were made and none gave a whole answer."""
    CANCELLED = "cancelled"
    """The caller hung up, or its deadline passed."""
    REFUSED = "refused"
    """Ended before anything was sent to a provider."""
    ABANDONED = "abandoned"
    """The sidecar died in the middle of it."""


class AttemptStatus(StrEnum):
    OPEN = "open"
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


class UsageSource(StrEnum):
    NONE = "none"
    REPORTED = "reported"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts; None = not known, 0 = zero. `input` includes cached tokens, `output` includes reasoning."""

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    audio_in: int | None = None
    audio_out: int | None = None
    images: int | None = None
    seconds: float | None = None
    characters: int | None = None
    requests: int | None = None
    cache_write_1h: int | None = None
    """Of `cache_write`, what is kept for an hour, which costs more. Not recorded: the cost has a line for it."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One meter of a cost. Meters are disjoint: "input" is the uncached part."""

    meter: str
    quantity: int
    price_per_million_picodollars: int
    cost_picodollars: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost and where the price came from. Unpriced: `amount_picodollars` None, no lines."""

    priced: bool
    amount_picodollars: int | None
    price_source: str = ""
    """genai-prices | override | provider | declared; empty if unpriced."""
    price_version: str = ""
    lines: tuple[CostLine, ...] = ()


NO_COST = Cost(priced=True, amount_picodollars=0)
"""Nothing was used, so nothing is owed, whatever the price."""
UNPRICED = Cost(priced=False, amount_picodollars=None)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. None: the next in line decides (call, alias, account, system)."""

    connect_s: float | None = None
    ttft_s: float | None = None
    """Until a stream's first event."""
    response_s: float | None = None
    """Until a unary answer."""
    stall_s: float | None = None
    """Between two events of a stream."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an attempt can go: one model at one provider account."""

    provider: str
    """The account's name ("openrouter2")."""
    model: str
    """As that provider names it."""
    owner: str = ""
    """The workspace whose own keys open it; empty = the operator's. Health and limits of each are its own."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The caller's `traceparent`, or our own beginning. Hex; `parent_span_id` empty for a root."""

    trace_id: str
    parent_span_id: str = ""
    sampled: bool = True


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """What telemetry names of a request; None = the caller did not set it."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    choice_count: int | None = None
    stop: tuple[str, ...] = ()
    output_type: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller asked, authenticated and decoded. `payload` is the protobuf message, unopened."""

    call_id: str
    workspace: str
    caller: str
    operation: Operation
    payload: Any
    streamed: bool
    started_ns: int
    """UTC, when the request was taken in."""
    started_monotonic_ns: int
    deadline_s: float
    """Monotonic seconds at which the caller stops waiting."""
    trace: Trace
    rpc_method: str
    alias: str = ""
    """Named by the call, or by its task; empty for a direct target or a capability."""
    task: str = ""
    target: Target | None = None
    """Named directly: no fallback. An empty model is the account's default."""
    capability: Capability | None = None
    preferred_provider: str = ""
    preference: Preference | None = None
    stream_recovery: StreamRecovery | None = None
    timeouts: Timeouts = Timeouts()
    tags: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    conversation_id: str = ""
    bytes_in: int = 0
    """Size of the encoded payload: what input is estimated from."""
    parameters: RequestParameters = RequestParameters()
    request_digest: bytes = b""
    """Of the whole request, where it has a `request_id`: tells a repeat from another request under the same id."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A target passed over while planning."""

    target: Target
    reason: str
    detail: str = ""
    """For people: "circuit open until 12:00:05Z"."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to one provider. Times are UTC ns: the start by the wall clock, the rest by adding monotonic time."""

    number: int
    target: Target
    provider_type: str
    status: AttemptStatus
    started_ns: int
    ended_ns: int | None = None
    first_token_ns: int | None = None
    model_reported: str = ""
    key_id: str = ""
    key_owner: str = ""
    """workspace | platform"""
    error_type: str = ""
    message: str = ""
    """The provider's own text: travels to the caller, never into journal, log or span."""
    http_status: int = 0
    provider_request_id: str = ""
    response_id: str = ""
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = Usage()
    usage_source: UsageSource = UsageSource.NONE
    estimator_version: str = ""
    cost: Cost = NO_COST
    cost_at_risk_picodollars: int = 0
    maybe_billed: bool = False
    circuit: str = ""
    bytes_sent: int = 0
    bytes_received: int = 0
    chunks: int = 0
    malformed_events: int = 0
    span_id: str = ""
    server_address: str = ""
    server_port: int = 0
    tokens_at_risk: int = 0
    """The most it can have used where nobody knows (`maybe_billed`)."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The outcome of a call, written once. Key everywhere: (sidecar_id, seq)."""

    sidecar_id: str
    seq: int
    call_id: str
    workspace: str
    caller: str
    operation: str
    streamed: bool
    status: CallStatus
    started_ns: int
    ended_ns: int
    duration_ns: int
    """By the monotonic clock."""
    trace_id: str
    server_span_id: str
    invoke_span_id: str
    version: int = RECORD_VERSION
    parent_span_id: str = ""
    sampled: bool = True
    request_id: str = ""
    conversation_id: str = ""
    alias: str = ""
    alias_version: int = 0
    task: str = ""
    capability: str = ""
    strategy: str = ""
    preference: str = ""
    error_type: str = ""
    """Refusal reason in lower case, or the deciding fault's error_type; empty if ok."""
    grpc_status: str = ""
    provider_of_record: str = ""
    provider_type: str = ""
    model_requested: str = ""
    model_reported: str = ""
    key_id: str = ""
    key_owner: str = ""
    fallback_used: bool = False
    fallback_reason: str = ""
    skips: tuple[Skip, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    usage: Usage = Usage()
    """Sum over the attempts that used anything."""
    usage_source: UsageSource = UsageSource.NONE
    estimator_version: str = ""
    cost: Cost = NO_COST
    """Sum over the attempts; unpriced if any attempt that used something is."""
    cost_at_risk_picodollars: int = 0
    maybe_billed: bool = False
    queued_ns: int = 0
    """Waited in the sidecar before its first attempt could begin (back-off and limits, not work)."""
    first_token_ns: int | None = None
    """UTC ns of the first content that went to the caller."""
    provider_ns: int = 0
    """Spent waiting for providers, all attempts."""
    overhead_ns: int = 0
    """duration - provider - back-off."""
    bytes_in: int = 0
    bytes_out: int = 0
    parameters: RequestParameters = RequestParameters()
    tags: Mapping[str, str] = field(default_factory=dict)
    rpc_method: str = ""
    budget_ns: int = 0
    """By which windows of budgets it counts, UTC; 0 = `started_ns`. The clock of budgets does not go back."""
    max_tokens_granted: int | None = None
    """Budgets had no room for more output than this; None: they did not cut it."""
    request_digest: bytes = b""
    budget_alerts: tuple[str, ...] = ()
    """Passed by this call: "budget_id threshold"."""

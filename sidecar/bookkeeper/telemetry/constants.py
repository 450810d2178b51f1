"""The only home of OpenTelemetry names.

GenAI: open-telemetry/semantic-conventions-genai at b9449702673fa5ea79d3c4cee3733f6d5e2b1e40, docs/gen-ai: the commit
that renamed `cache_creation` to `cache_write` (the installed constants still have the old name). Later commits split
`gen_ai.client.token.usage` by direction and operation; it is kept whole here, as users rely on it.
RPC and the rest: open-telemetry/semantic-conventions 1.44.0, docs/rpc.
"""

from __future__ import annotations

SCOPE = "taximeter"

# Of docs/rpc/grpc.md.
RPC_SYSTEM = "rpc.system.name"
RPC_METHOD = "rpc.method"
RPC_STATUS = "rpc.response.status_code"
SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Status codes that are a server's error; the others are the caller's."""
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
HTTP_STATUS = "http.response.status_code"
HTTP_RESENDS = "http.request.resend_count"

# Of docs/gen-ai/gen-ai-spans.md and gen-ai-metrics.md.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
OUTPUT_TYPE = "gen_ai.output.type"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - a label's name

PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "choice_count": "gen_ai.request.choice.count",
}
STOP_SEQUENCES = "gen_ai.request.stop_sequences"
USAGE = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "audio_input_tokens": "gen_ai.usage.audio.input_tokens",
    "audio_output_tokens": "gen_ai.usage.audio.output_tokens",
}
OPERATION_NAMES = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}
"""The convention's own names; the others go by ours."""

# Our own.
RETRY_EVENT = "taximeter.retry"
ALERT_EVENT = "taximeter.budget.alert"
BUDGET = "taximeter.budget"
BUDGET_NAME = "taximeter.budget.name"
BUDGET_SCOPE = "taximeter.budget.scope"
BUDGET_UNIT = "taximeter.budget.unit"
BUDGET_THRESHOLD = "taximeter.budget.threshold"
ATTEMPT = "taximeter.attempt"
ATTEMPTS = "taximeter.attempts"
WORKSPACE = "taximeter.workspace"
ALIAS = "taximeter.alias"
ACCOUNT = "taximeter.provider"
FALLBACK_REASON = "taximeter.fallback_reason"
COST_USD = "taximeter.cost_usd"
USAGE_SOURCE = "taximeter.usage_source"
PRICE_SOURCE = "taximeter.price_source"

METRIC_TOKENS = "gen_ai.client.token.usage"
METRIC_DURATION = "gen_ai.client.operation.duration"
METRIC_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
METRIC_RPC = "rpc.server.call.duration"
METRIC_COST = "taximeter.cost"
METRIC_FALLBACKS = "taximeter.fallbacks"
METRIC_OVERHEAD = "taximeter.overhead"
METRIC_BACKLOG = "taximeter.journal.backlog"
METRIC_UTILIZATION = "taximeter.budget.utilization"

TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
DURATION_BUCKETS_S = tuple(0.01 * 2**power for power in range(14))
RPC_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
OVERHEAD_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

LABELS = frozenset(
    {
        *(OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, TOKEN_TYPE, ERROR_TYPE, SERVER_ADDRESS, SERVER_PORT),
        *(RPC_SYSTEM, RPC_METHOD, RPC_STATUS, WORKSPACE, ALIAS, FALLBACK_REASON, PRICE_SOURCE),
        *(BUDGET, BUDGET_NAME, BUDGET_SCOPE, BUDGET_UNIT),
    }
)
"""All that may become a metric's label: never a call, a key, a tag or a conversation."""

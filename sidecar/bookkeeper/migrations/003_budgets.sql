-- Budgets: what a call counted, how they stand, and what they have alerted of.

-- Rows from before have no budgets, and no value here: the views give them one.
ALTER TABLE calls ADD COLUMN budget_at TIMESTAMP; -- by which windows it counts
ALTER TABLE calls ADD COLUMN max_tokens_granted INTEGER;
ALTER TABLE calls ADD COLUMN budget_alerts VARCHAR[];
ALTER TABLE attempts ADD COLUMN tokens_at_risk BIGINT;

-- The latest that each sidecar said of its budgets: all of them, in its newest State frame. NULL: no such limit.
CREATE TABLE budget_states (
    sidecar_id VARCHAR NOT NULL,
    budget_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    workspace VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    window_start TIMESTAMP,
    window_end TIMESTAMP,
    limit_usd DECIMAL(38, 12),
    spent_usd DECIMAL(38, 12),
    held_usd DECIMAL(38, 12),
    limit_tokens BIGINT,
    spent_tokens BIGINT,
    held_tokens BIGINT,
    limit_requests BIGINT,
    spent_requests BIGINT,
    held_requests BIGINT,
    "at" TIMESTAMP NOT NULL
);

-- A budget that passed a threshold in a window: once, however often the journal says it.
CREATE TABLE budget_alerts (
    alert_id VARCHAR PRIMARY KEY,
    sidecar_id VARCHAR NOT NULL,
    budget_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    workspace VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    threshold VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    limit_amount DECIMAL(38, 12) NOT NULL, -- US dollars, or a count
    spent_amount DECIMAL(38, 12) NOT NULL,
    window_start TIMESTAMP,
    window_end TIMESTAMP,
    call_id VARCHAR NOT NULL,
    "at" TIMESTAMP NOT NULL
);

-- What became of telling the webhook. No journal knows it.
CREATE TABLE alert_deliveries (
    alert_id VARCHAR PRIMARY KEY,
    state VARCHAR NOT NULL, -- waiting | delivered | given_up
    tries INTEGER NOT NULL,
    next_try_at TIMESTAMP, -- while it waits
    ended_at TIMESTAMP,
    last_error VARCHAR NOT NULL
);

CREATE OR REPLACE VIEW ai_call_logs AS
SELECT
    sidecar_id, seq, record_version, call_id, request_id, conversation_id, workspace, caller,
    alias, alias_version, task, operation, capability, strategy, preference, streamed,
    status, error_type, grpc_status, provider, provider_type, model, model_reported, key_id, key_owner,
    fallback_used, fallback_reason, skips, attempts,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    audio_input_tokens, audio_output_tokens, images, seconds, characters, requests,
    usage_source, estimator_version, priced, cost_usd, cost_at_risk_usd, maybe_billed, price_source, price_version,
    started_at, ended_at, first_token_at,
    epoch_us(started_at) * 1000 + started_ns_rest AS started_ns,
    duration_ns / 1e6 AS duration_ms,
    (epoch_us(first_token_at) - epoch_us(started_at)) / 1e3 AS time_to_first_token_ms,
    queued_ns / 1e6 AS queued_ms,
    provider_ns / 1e6 AS provider_ms,
    overhead_ns // 1000 AS overhead_us,
    bytes_in, bytes_out, trace_id, parent_span_id, server_span_id, invoke_span_id, sampled, tags, rpc_method,
    CAST(started_at AS DATE) AS day,
    coalesce(budget_at, started_at) AS budget_at, max_tokens_granted, coalesce(budget_alerts, []) AS budget_alerts
FROM calls;

CREATE OR REPLACE VIEW ai_call_attempts AS
SELECT
    a.sidecar_id, a.seq, c.call_id, a.number, c.workspace, c.alias, c.operation,
    a.provider, a.provider_type, a.model, a.model_reported, a.key_id, a.key_owner,
    a.status, a.error_type, a.http_status, a.provider_request_id, a.response_id, a.finish_reasons,
    a.started_at, a.first_token_at, a.ended_at,
    (epoch_us(a.ended_at) - epoch_us(a.started_at)) / 1e3 AS duration_ms,
    (epoch_us(a.first_token_at) - epoch_us(a.started_at)) / 1e3 AS time_to_first_token_ms,
    a.input_tokens, a.cache_read_tokens, a.cache_write_tokens, a.output_tokens, a.reasoning_tokens,
    a.audio_input_tokens, a.audio_output_tokens, a.images, a.seconds, a.characters, a.requests,
    a.usage_source, a.estimator_version, a.priced, a.cost_usd, a.cost_at_risk_usd, a.maybe_billed,
    a.price_source, a.price_version, a.circuit, a.bytes_sent, a.bytes_received, a.chunks, a.malformed_events,
    a.span_id, a.server_address, a.server_port,
    coalesce(a.tokens_at_risk, 0) AS tokens_at_risk
FROM attempts AS a
JOIN calls AS c USING (sidecar_id, seq);

-- Of incarnations that ended only the newest tells how budgets stand.
CREATE VIEW ai_budget_states AS
SELECT
    s.sidecar_id, s.budget_id, s.name, s.workspace, s.scope, s.subject, s.window_start, s.window_end,
    s.limit_usd, s.spent_usd, s.held_usd, s.limit_tokens, s.spent_tokens, s.held_tokens,
    s.limit_requests, s.spent_requests, s.held_requests, s."at"
FROM budget_states AS s
JOIN ledger_positions AS p USING (sidecar_id)
WHERE NOT p.closed OR s.sidecar_id = (SELECT max(sidecar_id) FROM ledger_positions);

-- `delivery`: '' while no webhook was tried.
CREATE VIEW ai_budget_alerts AS
SELECT
    a.alert_id, a.sidecar_id, a.budget_id, a.name, a.workspace, a.scope, a.subject, a.threshold, a.unit,
    a.limit_amount, a.spent_amount, a.window_start, a.window_end, a.call_id, a."at",
    coalesce(d.state, '') AS delivery, coalesce(d.tries, 0) AS delivery_tries, d.next_try_at AS delivery_next_at,
    d.ended_at AS delivery_ended_at, coalesce(d.last_error, '') AS delivery_error
FROM budget_alerts AS a
LEFT JOIN alert_deliveries AS d USING (alert_id);

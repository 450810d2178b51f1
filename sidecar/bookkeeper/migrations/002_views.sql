-- The public views: what analytics, dashboards, telemetry and the CLI read. Columns are added, never changed.

CREATE VIEW ai_call_logs AS
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
    CAST(started_at AS DATE) AS day
FROM calls;

CREATE VIEW ai_call_attempts AS
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
    a.span_id, a.server_address, a.server_port
FROM attempts AS a
JOIN calls AS c USING (sidecar_id, seq);

-- `started_at` is the call's: the money of a call belongs to the day of the call.
CREATE VIEW ai_call_costs AS
SELECT
    sidecar_id, seq, call_id, attempt, workspace, provider, model,
    line.meter AS meter, line.quantity AS quantity, line.price_per_million_usd AS price_per_million_usd,
    line.cost_usd AS cost_usd, price_source, price_version, started_at
FROM (
    SELECT
        a.sidecar_id, a.seq, c.call_id, a.number AS attempt, c.workspace, a.provider, a.model,
        unnest(a.cost_lines) AS line, a.price_source, a.price_version, c.started_at
    FROM attempts AS a
    JOIN calls AS c USING (sidecar_id, seq)
);

CREATE VIEW ai_open_calls AS
SELECT
    sidecar_id, seq, record_version, call_id, request_id, conversation_id, workspace, caller,
    alias, alias_version, task, operation, capability, strategy, preference, streamed,
    'open' AS status, provider, provider_type, model, key_id, key_owner, skips, attempts,
    started_at, epoch_us(started_at) * 1000 + started_ns_rest AS started_ns,
    bytes_in, trace_id, parent_span_id, server_span_id, invoke_span_id, sampled, tags, rpc_method,
    CAST(started_at AS DATE) AS day
FROM open_calls;

CREATE VIEW ai_target_states AS
SELECT
    sidecar_id, provider, model, circuit, requests, errors, mean_ms, p95_ms,
    last_used_at, last_error_type, last_error_at, cooling_until, "at"
FROM target_states;

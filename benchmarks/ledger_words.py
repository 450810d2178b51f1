"""What benchmarks.ledgers says to DuckDB: who is called, how calls go, and the rows that they leave."""

MODELS = """
CREATE TEMP TABLE models AS SELECT * FROM (VALUES
    -- alias, place in its chain, provider, model, USD a million: input, cached, output; median ms, share that fails
    (0, 1, 'openai', 'gpt-5.2', 1.25, 0.125, 10.0, 2400, 0.030),
    (0, 2, 'anthropic', 'claude-sonnet-4-5', 3.0, 0.3, 15.0, 3100, 0.010),
    (1, 1, 'groq', 'llama-3.3-70b-versatile', 0.59, 0.59, 0.79, 500, 0.080),
    (1, 2, 'gemini', 'gemini-2.5-flash', 0.3, 0.075, 2.5, 900, 0.020),
    (2, 1, 'anthropic', 'claude-sonnet-4-5', 3.0, 0.3, 15.0, 4000, 0.020),
    (2, 2, 'openai', 'gpt-5.2', 1.25, 0.125, 10.0, 2800, 0.030),
    (3, 1, 'mistral', 'mistral-small-latest', 0.1, 0.1, 0.3, 700, 0.015),
    (3, 2, 'openai', 'gpt-5-mini', 0.25, 0.025, 2.0, 1500, 0.010),
    (4, 1, 'local', 'smollm2-135m', 0.0, 0.0, 0.0, 700, 0.001),
    (4, 2, 'groq', 'llama-3.3-70b-versatile', 0.59, 0.59, 0.79, 500, 0.080),
    (5, 1, 'openrouter', 'acme/new-model', NULL, NULL, NULL, 1800, 0.050),
    (5, 2, 'openai', 'gpt-5-mini', 0.25, 0.025, 2.0, 1500, 0.010)
) AS t(alias, place, provider, model, p_input, p_cached, p_output, median_ms, failing)
"""

# u(k): uniform in [0, 1), the row's own for each k. z(k): about normal.
MACROS = (
    "CREATE TEMP MACRO u(i, k) AS (hash(i, k) % 1000003) / 1000003.0",
    "CREATE TEMP MACRO z(i, k) AS u(i, k) + u(i, k + 100) + u(i, k + 200) + u(i, k + 300) - 2.0",
    """CREATE TEMP MACRO line(m, q, p) AS {
        'meter': m, 'quantity': CAST(q AS BIGINT), 'price_per_million_usd': CAST(p AS DECIMAL(18, 12)),
        'cost_usd': CAST(CAST(q AS DECIMAL(12, 0)) * CAST(p AS DECIMAL(9, 6)) / 1000000 AS DECIMAL(18, 12))}""",
)

# The weekly and daily waves are shifts of a straight line of time, so that rows are in the order of their starts.
FACTS = """
CREATE OR REPLACE TEMP TABLE facts AS
WITH drawn AS (
    SELECT
        i, $days * (i + u(i, 1)) / $calls AS linear,
        CAST(floor(8 * pow(u(i, 2), 2)) AS INTEGER) AS workspace,
        CAST(floor(5 * pow(u(i, 3), 1.5)) AS INTEGER) AS caller,
        CASE WHEN u(i, 4) < 0.30 THEN 0 WHEN u(i, 4) < 0.72 THEN 1 WHEN u(i, 4) < 0.84 THEN 2
            WHEN u(i, 4) < 0.92 THEN 3 WHEN u(i, 4) < 0.99 THEN 4 ELSE 5 END AS alias,
        u(i, 5) < 0.006 AS refused
    FROM range($low, $high) AS r(i)
)
SELECT
    d.*,
    $start + to_microseconds(CAST(86400e6 * (linear - 0.13 * sin(2 * pi() * linear) / pi()) AS BIGINT)) AS started_at,
    a.provider AS p1, a.model AS m1, a.p_input AS i1, a.p_cached AS c1, a.p_output AS o1,
    CAST(a.median_ms * exp(0.55 * 1.7 * z(i, 6)) AS BIGINT) + 1 AS ms1, u(i, 7) < a.failing AS failed1,
    b.provider AS p2, b.model AS m2, b.p_input AS i2, b.p_cached AS c2, b.p_output AS o2,
    CAST(b.median_ms * exp(0.55 * 1.7 * z(i, 8)) AS BIGINT) + 1 AS ms2, u(i, 9) < b.failing AS failed2,
    CAST(floor(4 * u(i, 10)) AS INTEGER) AS fault, u(i, 11) < 0.008 AS cancelled,
    CAST(650 * exp(0.9 * 1.7 * z(i, 12)) AS BIGINT) + 1 AS tokens_in, u(i, 13) < 0.3 AS cached,
    CAST(180 * exp(0.8 * 1.7 * z(i, 14)) AS BIGINT) + 1 AS tokens_out,
    CAST(900000 * exp(0.4 * 1.7 * z(i, 15)) AS BIGINT) AS overhead_ns,
    CASE WHEN u(i, 16) < 0.2 THEN MAP {} ELSE MAP {'team': ['red', 'blue', 'green'][1 + d.workspace % 3],
        'feature': ['search', 'chat', 'mail', 'docs'][1 + CAST(floor(4 * u(i, 17)) AS INTEGER)]} END AS tags,
    u(i, 18) < 0.02 AS estimated
FROM drawn AS d
JOIN models AS a ON a.alias = d.alias AND a.place = 1
JOIN models AS b ON b.alias = d.alias AND b.place = 2
"""
TRIED = """
CREATE OR REPLACE TEMP TABLE tried AS
WITH each_one AS (
    SELECT i, 1 AS number, p1 AS provider, m1 AS model, i1 AS p_input, c1 AS p_cached, o1 AS p_output,
        started_at + INTERVAL 400 MICROSECOND AS started_at, failed1 AS failed,
        CASE WHEN failed1 AND fault = 2 THEN 10000 WHEN failed1 THEN ms1 // 4 ELSE ms1 END AS ms, *
    FROM facts WHERE NOT refused
    UNION ALL
    SELECT i, 2, p2, m2, i2, c2, o2,
        started_at + to_milliseconds(CASE WHEN fault = 2 THEN 10000 ELSE ms1 // 4 END + 1),
        failed2, CASE WHEN failed2 THEN ms2 // 4 ELSE ms2 END, *
    FROM facts WHERE NOT refused AND failed1
)
SELECT
    i, number, provider, model, started_at, started_at + to_milliseconds(ms) AS ended_at, ms, failed,
    CASE WHEN failed THEN 'failed' WHEN cancelled THEN 'cancelled' ELSE 'ok' END AS status,
    CASE WHEN failed THEN ['rate_limited', 'server_error', 'timeout', 'connection'][1 + fault] ELSE '' END
        AS error_type,
    CASE WHEN failed THEN [429, 503, NULL, NULL][1 + fault] ELSE 200 END AS http_status,
    CASE WHEN NOT failed THEN tokens_in END AS input_tokens,
    CASE WHEN NOT failed THEN CASE WHEN cached THEN tokens_in // 2 ELSE 0 END END AS cache_read_tokens,
    CASE WHEN NOT failed THEN tokens_out END AS output_tokens,
    CASE WHEN failed THEN 'none' WHEN estimated THEN 'estimated' ELSE 'reported' END AS usage_source,
    failed OR p_input IS NOT NULL AS priced,
    CASE WHEN failed OR p_input IS NULL THEN [] ELSE list_filter([
        line('input', tokens_in - CASE WHEN cached THEN tokens_in // 2 ELSE 0 END, p_input),
        line('cache_read', CASE WHEN cached THEN tokens_in // 2 ELSE 0 END, p_cached),
        line('output', tokens_out, p_output)], lambda l: l.quantity > 0) END AS cost_lines,
    CASE WHEN failed AND fault = 2 THEN 0.001 ELSE 0 END AS at_risk
FROM each_one
"""
ATTEMPTS = """
INSERT INTO attempts BY NAME SELECT
    $sidecar AS sidecar_id, i AS seq, number, provider, provider AS provider_type, model, model AS model_reported,
    provider || '-1' AS key_id, 'platform' AS key_owner, status, error_type, http_status, '' AS provider_request_id,
    '' AS response_id, if(status = 'ok', ['stop'], []) AS finish_reasons, started_at,
    if(status = 'ok', started_at + to_milliseconds(1 + ms // 5), NULL) AS first_token_at, ended_at,
    input_tokens, cache_read_tokens, output_tokens, usage_source, '' AS estimator_version, priced,
    if(priced, CAST(coalesce(list_sum([l.cost_usd FOR l IN cost_lines]), 0) AS DECIMAL(18, 12)), NULL) AS cost_usd,
    at_risk AS cost_at_risk_usd, at_risk > 0 AS maybe_billed,
    CASE WHEN failed OR NOT priced THEN '' WHEN provider = 'local' THEN 'declared' ELSE 'genai-prices' END
        AS price_source,
    if(failed OR NOT priced, '', '2026-11-01') AS price_version, cost_lines, 'closed' AS circuit, 900 AS bytes_sent,
    0 AS bytes_received, 0 AS chunks, 0 AS malformed_events, printf('%016x', i * 4 + number) AS span_id,
    'api.' || provider || '.example' AS server_address, 443 AS server_port, 0 AS tokens_at_risk
FROM tried
"""
CALLS = """
INSERT INTO calls BY NAME
WITH last AS (
    SELECT
        i, max(number) AS attempts, arg_max(status, number) AS status, arg_max(error_type, number) AS error_type,
        arg_max(provider, number) AS provider, arg_max(model, number) AS model, max(ended_at) AS ended_at,
        sum(ms) AS ms, arg_max(started_at, number) AS answering_at, arg_max(ms, number) AS answering_ms,
        arg_min(error_type, number) AS first_error,
        sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
        sum(output_tokens) AS output_tokens, bool_and(priced) AS priced, max(at_risk) AS at_risk,
        sum(coalesce(list_sum([l.cost_usd FOR l IN cost_lines]), 0)) AS cost_usd,
        arg_max(usage_source, number) AS usage_source
    FROM tried GROUP BY i
)
SELECT
    $sidecar AS sidecar_id, f.i AS seq, 1 AS record_version, printf('01K%023X', f.i) AS call_id,
    printf('%032x', f.i) AS request_id, '' AS conversation_id, 'ws-' || f.workspace AS workspace,
    'svc-' || f.workspace || '-' || f.caller AS caller,
    ['smart', 'fast', 'code-assist', 'drafts', 'offline', 'trial'][1 + f.alias] AS alias, '' AS task,
    'chat' AS operation, '' AS capability, 'failover' AS strategy, '' AS preference, f.alias IN (0, 2) AS streamed,
    CASE WHEN f.refused THEN 'refused' WHEN l.status = 'failed' THEN 'error' ELSE l.status END AS status,
    CASE WHEN f.refused THEN 'key_missing' WHEN l.status = 'failed' THEN l.error_type ELSE '' END AS error_type,
    CASE WHEN f.refused THEN 'FAILED_PRECONDITION' WHEN l.status = 'failed' THEN 'UNAVAILABLE'
        WHEN l.status = 'cancelled' THEN 'CANCELLED' ELSE 'OK' END AS grpc_status,
    if(l.status = 'ok', l.provider, '') AS provider, if(l.status = 'ok', l.provider, '') AS provider_type,
    if(l.status = 'ok', l.model, '') AS model, if(l.status = 'ok', l.model, '') AS model_reported,
    if(l.status = 'ok', l.provider || '-1', '') AS key_id, if(l.status = 'ok', 'platform', '') AS key_owner,
    coalesce(l.attempts > 1, false) AS fallback_used,
    CASE WHEN l.attempts > 1 THEN
        CASE l.first_error WHEN 'rate_limited' THEN 'RATE_LIMITED' WHEN 'timeout' THEN 'TIMEOUT'
            WHEN 'connection' THEN 'CONNECTION' ELSE 'PROVIDER_ERROR' END
    ELSE '' END AS fallback_reason,
    if(f.refused, [{'provider': 'openai', 'model': 'gpt-5.2', 'reason': 'NO_KEY'}], []) AS skips,
    coalesce(l.attempts, 0) AS attempts, l.input_tokens, l.cache_read_tokens, l.output_tokens,
    coalesce(l.usage_source, 'none') AS usage_source, '' AS estimator_version, coalesce(l.priced, true) AS priced,
    CASE WHEN f.refused THEN 0 WHEN l.priced THEN CAST(l.cost_usd AS DECIMAL(18, 12)) END AS cost_usd,
    coalesce(l.at_risk, 0) AS cost_at_risk_usd, coalesce(l.at_risk > 0, false) AS maybe_billed,
    CASE WHEN l.input_tokens IS NULL OR NOT l.priced THEN '' WHEN l.provider = 'local' THEN 'declared'
        ELSE 'genai-prices' END AS price_source,
    if(l.input_tokens IS NULL OR NOT l.priced, '', '2026-11-01') AS price_version,
    f.started_at, f.i % 1000 AS started_ns_rest, coalesce(l.ended_at, f.started_at) AS ended_at,
    if(l.status = 'ok', l.answering_at + to_milliseconds(1 + l.answering_ms // 5), NULL) AS first_token_at,
    coalesce(l.ms * 1000000, 0) + f.overhead_ns AS duration_ns, 0 AS queued_ns,
    coalesce(l.ms * 1000000, 0) AS provider_ns, f.overhead_ns,
    900 AS bytes_in, 0 AS bytes_out, printf('%032x', f.i + 1) AS trace_id,
    '' AS parent_span_id,
    printf('%016x', f.i * 4) AS server_span_id, printf('%016x', f.i * 4 + 3) AS invoke_span_id, true AS sampled, f.tags,
    'taximeter.v1.InvocationService/Invoke' AS rpc_method
FROM facts AS f LEFT JOIN last AS l USING (i) ORDER BY f.i
"""

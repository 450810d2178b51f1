-- Sums by the day, so that a month need not be read call by call. A call belongs to the UTC day of its start, with all
-- its attempts. Of each kind of sum there are
--   a view of facts, ai_call_facts: a row a call, what of it can be summed beside what it can be grouped by; where it
--   joins, a macro (call and attempts since a day) keeps the join from reading what is not asked for;
--   a table, call_days: the facts of the days before `rolled."until"`, summed up by all that is not a measure;
--   a view of both, ai_call_days: whole at any moment, since the facts of later days stand in it as they are.
-- So a day has many rows, and a question sums them.

-- One row. Days before `since` have lost their calls to age, and only their sums are left.
CREATE TABLE rolled ("since" DATE NOT NULL, "until" DATE NOT NULL);
INSERT INTO rolled VALUES ('1970-01-01', '1970-01-01');

-- Bin b holds (1.04^(b-1), 1.04^b] ms; no value in it is further than 1.96 % from its middle.
CREATE MACRO latency_bin(ms) AS CAST(ceil(ln(greatest(ms, 0.001)) / ln(1.04)) AS SMALLINT);
CREATE MACRO latency_ms(bin) AS pow(1.04, bin) / 1.02;
-- Prompts of like size: class c holds 4^(c-1) to 4^c - 1 input tokens; 0: none, or none known.
CREATE MACRO prompt_class(tokens) AS
    CASE WHEN coalesce(tokens, 0) < 1 THEN 0::TINYINT ELSE CAST(1 + floor(log2(tokens) / 2) AS TINYINT) END;

CREATE VIEW ai_call_facts AS
SELECT
    started_at, CAST(started_at AS DATE) AS day, workspace, caller, alias, task, operation, streamed, status,
    error_type, provider, model, key_id, key_owner, fallback_reason, tags,
    1::BIGINT AS calls,
    CAST(fallback_used AS BIGINT) AS fallbacks,
    CAST(attempts AS BIGINT) AS attempts,
    coalesce(input_tokens, 0) AS input_tokens,
    coalesce(cache_read_tokens, 0) AS cache_read_tokens,
    coalesce(cache_write_tokens, 0) AS cache_write_tokens,
    coalesce(output_tokens, 0) AS output_tokens,
    coalesce(reasoning_tokens, 0) AS reasoning_tokens,
    CAST(cost_usd AS DECIMAL(38, 12)) AS cost_usd, -- NULL where it is not known: a sum passes it over
    CAST(coalesce(cost_at_risk_usd, 0) AS DECIMAL(38, 12)) AS cost_at_risk_usd,
    CAST(NOT priced AS BIGINT) AS unpriced_calls,
    CAST(usage_source = 'estimated' AS BIGINT) AS estimated_calls,
    CAST(maybe_billed AS BIGINT) AS maybe_billed_calls,
    duration_ns / 1e6 AS duration_ms,
    provider_ns / 1e6 AS provider_ms,
    overhead_ns / 1e6 AS overhead_ms
FROM calls;

-- No attempt begins a day before its call. `started_at` is the call's, `tried_at` the attempt's own. `call_status` is the call's, `status` the attempt's own.
CREATE MACRO attempt_facts_since(low) AS TABLE
SELECT
    c.started_at, a.started_at AS tried_at, CAST(c.started_at AS DATE) AS day, c.workspace, c.caller, c.alias,
    c.operation, c.streamed, c.status AS call_status, a.provider, a.model, a.key_id, a.key_owner, a.status,
    a.error_type, a.http_status, prompt_class(a.input_tokens) AS prompt_class, c.tags,
    1::BIGINT AS attempts,
    coalesce(a.input_tokens, 0) AS input_tokens,
    coalesce(a.cache_read_tokens, 0) AS cache_read_tokens,
    coalesce(a.cache_write_tokens, 0) AS cache_write_tokens,
    coalesce(a.output_tokens, 0) AS output_tokens,
    coalesce(a.reasoning_tokens, 0) AS reasoning_tokens,
    CAST(a.cost_usd AS DECIMAL(38, 12)) AS cost_usd,
    CAST(coalesce(a.cost_at_risk_usd, 0) AS DECIMAL(38, 12)) AS cost_at_risk_usd,
    CAST(NOT a.priced AS BIGINT) AS unpriced_attempts,
    CAST(a.usage_source = 'estimated' AS BIGINT) AS estimated_attempts,
    coalesce((epoch_us(a.ended_at) - epoch_us(a.started_at)) / 1e3, 0) AS duration_ms
FROM (SELECT * FROM attempts WHERE started_at >= low - INTERVAL 1 DAY) AS a
JOIN (SELECT * FROM calls WHERE started_at >= low) AS c USING (sidecar_id, seq);

-- What was paid for: a row a meter of an attempt.
CREATE MACRO cost_facts_since(low) AS TABLE
SELECT
    started_at, tried_at, day, workspace, caller, alias, operation, provider, provider_type, model, key_id, key_owner,
    line.meter AS meter, line.price_per_million_usd AS price_per_million_usd, price_source, price_version,
    usage_source, tags,
    1::BIGINT AS attempts,
    line.quantity AS quantity,
    CAST(line.cost_usd AS DECIMAL(38, 12)) AS cost_usd
FROM (
    SELECT
        c.started_at, a.started_at AS tried_at, CAST(c.started_at AS DATE) AS day, c.workspace, c.caller, c.alias,
        c.operation, a.provider, a.provider_type, a.model, a.key_id, a.key_owner, unnest(a.cost_lines) AS line,
        a.price_source, a.price_version, a.usage_source, c.tags
    FROM (SELECT * FROM attempts WHERE started_at >= low - INTERVAL 1 DAY) AS a
    JOIN (SELECT * FROM calls WHERE started_at >= low) AS c USING (sidecar_id, seq)
);

-- How long what was answered took. `measure`: duration, first_token (of streamed calls) and overhead are of calls, whose
-- target is the one of record; attempt is of the attempts that succeeded, by the class of their prompts.
CREATE MACRO latency_facts_since(low) AS TABLE
SELECT
    started_at, started_at AS tried_at, CAST(started_at AS DATE) AS day, workspace, alias, operation, provider, model,
    'duration' AS measure, 0::TINYINT AS prompt_class, latency_bin(duration_ns / 1e6) AS bin, 1::BIGINT AS times
FROM (SELECT * FROM calls WHERE started_at >= low)
WHERE status = 'ok'
UNION ALL
SELECT
    started_at, started_at, CAST(started_at AS DATE), workspace, alias, operation, provider, model,
    'first_token', 0::TINYINT, latency_bin((epoch_us(first_token_at) - epoch_us(started_at)) / 1e3), 1::BIGINT
FROM (SELECT * FROM calls WHERE started_at >= low)
WHERE status = 'ok' AND streamed AND first_token_at IS NOT NULL
UNION ALL
SELECT
    started_at, started_at, CAST(started_at AS DATE), workspace, alias, operation, provider, model,
    'overhead', 0::TINYINT, latency_bin(overhead_ns / 1e6), 1::BIGINT
FROM (SELECT * FROM calls WHERE started_at >= low)
WHERE status = 'ok'
UNION ALL
SELECT
    c.started_at, a.started_at, CAST(c.started_at AS DATE), c.workspace, c.alias, c.operation, a.provider, a.model,
    'attempt', prompt_class(a.input_tokens), latency_bin((epoch_us(a.ended_at) - epoch_us(a.started_at)) / 1e3),
    1::BIGINT
FROM (SELECT * FROM attempts WHERE started_at >= low - INTERVAL 1 DAY) AS a
JOIN (SELECT * FROM calls WHERE started_at >= low) AS c USING (sidecar_id, seq)
WHERE a.status = 'ok' AND a.ended_at IS NOT NULL;

-- Each step of a call that fell back: away from a target that failed it or was passed over, to the next one. A retry on
-- the same target is a step to itself, and no move. `reason`: the attempt's error, or budget, circuit_open.
-- `status`: how the call ended. `lost_*`: what the target that was left had taken. Few calls fall back: without a bound of
-- their own, attempts are looked at for those calls' keys only.
CREATE MACRO fallback_facts_since(low) AS TABLE
SELECT
    started_at, tried_at, CAST(started_at AS DATE) AS day, workspace, caller, alias, operation,
    provider AS from_provider, model AS from_model, to_provider, to_model, reason, status,
    CAST((provider, model) <> (to_provider, to_model) AS BIGINT) AS moves,
    coalesce((epoch_us(ended_at) - epoch_us(tried_at)) / 1e3, 0) AS lost_ms,
    CAST(cost_usd AS DECIMAL(38, 12)) AS lost_usd,
    CAST(coalesce(cost_at_risk_usd, 0) AS DECIMAL(38, 12)) AS lost_at_risk_usd
FROM (
    SELECT
        c.started_at, a.started_at AS tried_at, c.workspace, c.caller, c.alias, c.operation, a.provider, a.model,
        lead(a.provider) OVER steps AS to_provider, lead(a.model) OVER steps AS to_model, a.error_type AS reason,
        c.status, a.ended_at, a.cost_usd, a.cost_at_risk_usd
    FROM attempts AS a
    JOIN (SELECT * FROM calls WHERE started_at >= low AND fallback_used) AS c USING (sidecar_id, seq)
    -- `started_at` says nothing here, but lets a bound on it through to the calls.
    WINDOW steps AS (PARTITION BY c.started_at, a.sidecar_id, a.seq ORDER BY a.number)
)
WHERE to_provider IS NOT NULL
UNION ALL
SELECT
    started_at, tried_at, day, workspace, caller, alias, operation, skip.provider, skip.model, provider, model,
    lower(skip.reason), status, 1::BIGINT, 0::DOUBLE, 0::DECIMAL(38, 12), 0::DECIMAL(38, 12)
FROM (
    SELECT
        c.started_at, a.started_at AS tried_at, CAST(c.started_at AS DATE) AS day, c.workspace, c.caller, c.alias,
        c.operation, c.status, a.provider, a.model, unnest(c.skips) AS skip
    FROM (SELECT * FROM calls WHERE started_at >= low AND fallback_used) AS c
    JOIN (SELECT * FROM attempts WHERE number = 1) AS a USING (sidecar_id, seq)
)
WHERE skip.reason IN ('BUDGET', 'CIRCUIT_OPEN');

CREATE VIEW ai_attempt_facts AS SELECT * FROM attempt_facts_since(TIMESTAMP '1970-01-02');
CREATE VIEW ai_cost_facts AS SELECT * FROM cost_facts_since(TIMESTAMP '1970-01-02');
CREATE VIEW ai_latency_facts AS SELECT * FROM latency_facts_since(TIMESTAMP '1970-01-02');
CREATE VIEW ai_fallback_facts AS SELECT * FROM fallback_facts_since(TIMESTAMP '1970-01-02');

CREATE TABLE call_days AS SELECT * EXCLUDE (started_at) FROM ai_call_facts LIMIT 0;
CREATE TABLE attempt_days AS SELECT * EXCLUDE (started_at, tried_at) FROM ai_attempt_facts LIMIT 0;
CREATE TABLE cost_days AS SELECT * EXCLUDE (started_at, tried_at) FROM ai_cost_facts LIMIT 0;
CREATE TABLE latency_days AS SELECT * EXCLUDE (started_at, tried_at) FROM ai_latency_facts LIMIT 0;
CREATE TABLE fallback_days AS SELECT * EXCLUDE (started_at, tried_at) FROM ai_fallback_facts LIMIT 0;
CREATE TABLE call_hours AS
SELECT date_trunc('hour', started_at) AS hour, workspace, alias, operation, provider, status, error_type, calls, fallbacks
FROM ai_call_facts LIMIT 0;

CREATE VIEW ai_call_days AS
SELECT * FROM call_days WHERE day < (SELECT "until" FROM rolled)
UNION ALL
SELECT * EXCLUDE (started_at) FROM ai_call_facts WHERE started_at >= (SELECT "until" FROM rolled);

CREATE VIEW ai_attempt_days AS
SELECT * FROM attempt_days WHERE day < (SELECT "until" FROM rolled)
UNION ALL
SELECT * EXCLUDE (started_at, tried_at) FROM attempt_facts_since((SELECT "until" FROM rolled));

CREATE VIEW ai_cost_days AS
SELECT * FROM cost_days WHERE day < (SELECT "until" FROM rolled)
UNION ALL
SELECT * EXCLUDE (started_at, tried_at) FROM cost_facts_since((SELECT "until" FROM rolled));

CREATE VIEW ai_latency_days AS
SELECT * FROM latency_days WHERE day < (SELECT "until" FROM rolled)
UNION ALL
SELECT * EXCLUDE (started_at, tried_at) FROM latency_facts_since((SELECT "until" FROM rolled));

CREATE VIEW ai_fallback_days AS
SELECT * FROM fallback_days WHERE day < (SELECT "until" FROM rolled)
UNION ALL
SELECT * EXCLUDE (started_at, tried_at) FROM fallback_facts_since((SELECT "until" FROM rolled));

CREATE VIEW ai_call_hours AS
SELECT * FROM call_hours WHERE hour < (SELECT "until" FROM rolled)
UNION ALL
SELECT date_trunc('hour', started_at), workspace, alias, operation, provider, status, error_type, calls, fallbacks
FROM ai_call_facts WHERE started_at >= (SELECT "until" FROM rolled);

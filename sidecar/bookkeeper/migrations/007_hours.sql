-- Sums by the hour with all measures that those by the day have, of calls and of attempts: a course by the hour of a
-- week reads no calls. Of days whose calls have gone for their age the hours keep what they had: calls and fallbacks.

DROP VIEW ai_call_hours;
ALTER TABLE call_hours ADD COLUMN model VARCHAR DEFAULT '';
ALTER TABLE call_hours ADD COLUMN attempts BIGINT;
ALTER TABLE call_hours ADD COLUMN input_tokens BIGINT;
ALTER TABLE call_hours ADD COLUMN cache_read_tokens BIGINT;
ALTER TABLE call_hours ADD COLUMN cache_write_tokens BIGINT;
ALTER TABLE call_hours ADD COLUMN output_tokens BIGINT;
ALTER TABLE call_hours ADD COLUMN reasoning_tokens BIGINT;
ALTER TABLE call_hours ADD COLUMN cost_usd DECIMAL(38, 12);
ALTER TABLE call_hours ADD COLUMN cost_at_risk_usd DECIMAL(38, 12);
ALTER TABLE call_hours ADD COLUMN unpriced_calls BIGINT;
ALTER TABLE call_hours ADD COLUMN estimated_calls BIGINT;

CREATE MACRO call_hours_since(low) AS TABLE
SELECT
    date_trunc('hour', started_at) AS hour, workspace, alias, operation, provider, status, error_type, calls, fallbacks,
    model, attempts, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd,
    cost_at_risk_usd, unpriced_calls, estimated_calls
FROM ai_call_facts WHERE started_at >= low;

CREATE MACRO attempt_hours_since(low) AS TABLE
SELECT
    date_trunc('hour', started_at) AS hour, workspace, alias, operation, call_status, provider, model, error_type,
    attempts, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd,
    cost_at_risk_usd, unpriced_attempts, estimated_attempts
FROM attempt_facts_since(low);

CREATE TABLE attempt_hours AS SELECT * FROM attempt_hours_since(TIMESTAMP '1970-01-02') LIMIT 0;

CREATE VIEW ai_call_hours AS
SELECT * FROM call_hours WHERE hour < (SELECT "until" FROM rolled)
UNION ALL
SELECT * FROM call_hours_since((SELECT "until" FROM rolled));

CREATE VIEW ai_attempt_hours AS
SELECT * FROM attempt_hours WHERE hour < (SELECT "until" FROM rolled)
UNION ALL
SELECT * FROM attempt_hours_since((SELECT "until" FROM rolled));

-- All sums that can be made anew are made anew, day by day, by the bookkeeper: a ledger of any size starts at once.
DELETE FROM call_days WHERE day >= (SELECT "since" FROM rolled);
DELETE FROM attempt_days WHERE day >= (SELECT "since" FROM rolled);
DELETE FROM cost_days WHERE day >= (SELECT "since" FROM rolled);
DELETE FROM latency_days WHERE day >= (SELECT "since" FROM rolled);
DELETE FROM fallback_days WHERE day >= (SELECT "since" FROM rolled);
DELETE FROM call_hours WHERE hour >= (SELECT "since" FROM rolled);
UPDATE rolled SET "until" = "since";

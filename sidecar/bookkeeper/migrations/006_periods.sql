-- Billing periods: calendar months, UTC, of the whole installation. Closing one freezes what its file says. What the
-- ledger learns afterwards about a closed month's days is billed with the first month that is open, as a correction.

CREATE TABLE billing_periods (
    month DATE PRIMARY KEY, -- its first day
    closed_at TIMESTAMP NOT NULL,
    closed_by VARCHAR NOT NULL,
    row_count BIGINT NOT NULL, -- of its FOCUS file
    cost_usd DECIMAL(38, 12) NOT NULL, -- with the corrections in it
    corrections BIGINT NOT NULL, -- rows
    corrections_usd DECIMAL(38, 12) NOT NULL,
    sha256 VARCHAR NOT NULL -- of its FOCUS 1.2 file as CSV, all workspaces
);

-- What was billed, with the month that it was billed in. `day` before `month`: a correction, which may be negative.
-- Tags by the order of their keys.
CREATE TABLE billed_costs (
    month DATE NOT NULL,
    day DATE NOT NULL,
    workspace VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    provider_type VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    key_owner VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    price_per_million_usd DECIMAL(18, 12) NOT NULL,
    price_source VARCHAR NOT NULL,
    price_version VARCHAR NOT NULL,
    usage_source VARCHAR NOT NULL,
    tags MAP(VARCHAR, VARCHAR) NOT NULL,
    quantity HUGEINT NOT NULL,
    cost_usd DECIMAL(38, 12) NOT NULL
);

CREATE VIEW ai_billing_periods AS
SELECT month, closed_at, closed_by, row_count, cost_usd, corrections, corrections_usd, sha256 FROM billing_periods;

CREATE VIEW ai_billed_costs AS
SELECT
    month, day, workspace, provider, provider_type, model, key_owner, meter, price_per_million_usd, price_source,
    price_version, usage_source, tags, quantity, cost_usd
FROM billed_costs;

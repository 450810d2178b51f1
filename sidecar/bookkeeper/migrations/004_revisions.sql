-- Costs that were priced anew: what they were, what they became, and why. The rows themselves show the new value.

CREATE TABLE cost_revisions (
    rerating_id VARCHAR NOT NULL,
    sidecar_id VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    "at" TIMESTAMP NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    old_priced BOOLEAN NOT NULL,
    old_cost_usd DECIMAL(18, 12),
    old_price_source VARCHAR NOT NULL,
    old_price_version VARCHAR NOT NULL,
    old_cost_lines STRUCT(
        meter VARCHAR, quantity BIGINT, price_per_million_usd DECIMAL(18, 12), cost_usd DECIMAL(18, 12)
    )[] NOT NULL,
    priced BOOLEAN NOT NULL,
    cost_usd DECIMAL(18, 12),
    price_source VARCHAR NOT NULL,
    price_version VARCHAR NOT NULL,
    cost_lines STRUCT(
        meter VARCHAR, quantity BIGINT, price_per_million_usd DECIMAL(18, 12), cost_usd DECIMAL(18, 12)
    )[] NOT NULL
);

CREATE VIEW ai_cost_revisions AS
SELECT
    r.rerating_id, r.sidecar_id, r.seq, r.attempt, c.call_id, c.workspace, a.provider, a.model,
    r.old_priced, r.old_cost_usd, r.old_price_source, r.old_price_version,
    r.priced, r.cost_usd, r.price_source, r.price_version, r.reason, r.actor, r."at", c.started_at
FROM cost_revisions AS r
JOIN calls AS c USING (sidecar_id, seq)
JOIN attempts AS a ON a.sidecar_id = r.sidecar_id AND a.seq = r.seq AND a.number = r.attempt;

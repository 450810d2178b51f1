-- The control plane's first shape. $BYTES is BLOB in SQLite and BYTEA in PostgreSQL; all else is the same in both.

CREATE TABLE control_state (
  id BIGINT NOT NULL PRIMARY KEY,
  generation BIGINT NOT NULL,
  audit_sequence BIGINT NOT NULL
);

INSERT INTO control_state (id, generation, audit_sequence) VALUES (1, 0, 0);

CREATE TABLE ai_workspaces (
  name TEXT NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL,
  platform_keys TEXT NOT NULL,
  zero_retention BOOLEAN NOT NULL,
  created_ns BIGINT NOT NULL,
  archived_ns BIGINT
);

INSERT INTO ai_workspaces (name, display_name, platform_keys, zero_retention, created_ns)
VALUES ('default', '', 'always', FALSE, 0);

CREATE TABLE ai_tokens (
  token_id TEXT NOT NULL PRIMARY KEY,
  workspace TEXT NOT NULL REFERENCES ai_workspaces (name),
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  secret_hash $BYTES NOT NULL,
  created_ns BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires_ns BIGINT,
  revoked_ns BIGINT
);

CREATE TABLE ai_data_keys (
  data_key_id TEXT NOT NULL PRIMARY KEY,
  workspace TEXT NOT NULL REFERENCES ai_workspaces (name),
  kek_id TEXT NOT NULL,
  wrapped $BYTES NOT NULL,
  created_ns BIGINT NOT NULL
);

CREATE TABLE ai_provider_keys (
  key_id TEXT NOT NULL PRIMARY KEY,
  workspace TEXT NOT NULL REFERENCES ai_workspaces (name),
  provider TEXT NOT NULL,
  label TEXT NOT NULL,
  masked TEXT NOT NULL,
  data_key_id TEXT NOT NULL REFERENCES ai_data_keys (data_key_id),
  sealed $BYTES NOT NULL,
  scopes TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  base_url TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_ns BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  verified_ns BIGINT,
  revoked_ns BIGINT
);

CREATE TABLE ai_model_aliases (
  workspace TEXT NOT NULL REFERENCES ai_workspaces (name),
  name TEXT NOT NULL,
  version BIGINT NOT NULL,
  definition TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  source TEXT NOT NULL,
  deleted BOOLEAN NOT NULL,
  PRIMARY KEY (workspace, name, version)
);

CREATE TABLE ai_provider_budgets (
  budget_id TEXT NOT NULL PRIMARY KEY,
  workspace TEXT NOT NULL REFERENCES ai_workspaces (name),
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  "window" TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  limit_picodollars TEXT,
  limit_tokens BIGINT,
  limit_requests BIGINT,
  soft_percent BIGINT NOT NULL,
  soft_only BOOLEAN NOT NULL,
  shrink BOOLEAN NOT NULL,
  allow_unpriced BOOLEAN NOT NULL,
  count_at_risk BOOLEAN NOT NULL,
  imposed BOOLEAN NOT NULL,
  created_ns BIGINT NOT NULL,
  created_by TEXT NOT NULL
);

CREATE TABLE ai_price_overrides (
  price_id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  rates TEXT NOT NULL,
  effective TEXT NOT NULL,
  source TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  created_by TEXT NOT NULL
);

CREATE TABLE ai_providers (
  name TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  base_url TEXT NOT NULL,
  usable BOOLEAN NOT NULL,
  capabilities TEXT NOT NULL,
  updated_ns BIGINT NOT NULL
);

CREATE TABLE audit_log (
  sequence BIGINT NOT NULL PRIMARY KEY,
  at_ns BIGINT NOT NULL,
  workspace TEXT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  "before" TEXT,
  "after" TEXT,
  origin TEXT NOT NULL
);

CREATE INDEX audit_log_workspace ON audit_log (workspace, sequence);

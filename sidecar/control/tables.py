"""The tables as the newest migration leaves them. A column has its entity's field's name (sidecar/core/control.py).

Times are UTC nanoseconds. JSON stands in text columns: the same in SQLite and PostgreSQL. Money does too, as digits:
picodollars pass 64 bits at nine million dollars.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, LargeBinary, MetaData, Table, Text

METADATA = MetaData()

state = Table(
    "control_state",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("audit_sequence", BigInteger, nullable=False),
)
"""One row, which every writer locks first: that makes writers serial."""

workspaces = Table(
    "ai_workspaces",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("platform_keys", Text, nullable=False),
    Column("zero_retention", Boolean, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("archived_ns", BigInteger),
)

tokens = Table(
    "ai_tokens",
    METADATA,
    Column("token_id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("ai_workspaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_ns", BigInteger),
    Column("revoked_ns", BigInteger),
)

data_keys = Table(
    "ai_data_keys",
    METADATA,
    Column("data_key_id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("ai_workspaces.name"), nullable=False),
    Column("kek_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)

provider_keys = Table(
    "ai_provider_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("ai_workspaces.name"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("masked", Text, nullable=False),
    Column("data_key_id", Text, ForeignKey("ai_data_keys.data_key_id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("verified_ns", BigInteger),
    Column("revoked_ns", BigInteger),
)

model_aliases = Table(
    "ai_model_aliases",
    METADATA,
    Column("workspace", Text, ForeignKey("ai_workspaces.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("definition", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
"""Every version; the newest decides."""

provider_budgets = Table(
    "ai_provider_budgets",
    METADATA,
    Column("budget_id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("ai_workspaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("limit_picodollars", Text),
    Column("limit_tokens", BigInteger),
    Column("limit_requests", BigInteger),
    Column("soft_percent", BigInteger, nullable=False),
    Column("soft_only", Boolean, nullable=False),
    Column("shrink", Boolean, nullable=False),
    Column("allow_unpriced", Boolean, nullable=False),
    Column("count_at_risk", Boolean, nullable=False),
    Column("imposed", Boolean, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
)

price_overrides = Table(
    "ai_price_overrides",
    METADATA,
    Column("price_id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("rates", Text, nullable=False),
    Column("effective", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
)

providers = Table(
    "ai_providers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("usable", Boolean, nullable=False),
    Column("capabilities", Text, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
)
"""What the operator's configuration says, for people who look with SQL; nothing reads it back."""

audit_log = Table(
    "audit_log",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("origin", Text, nullable=False),
)
"""No foreign key: it outlives what it tells of."""

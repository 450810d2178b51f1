"""The control store: workspaces, callers, keys, aliases, budgets and prices, in SQLite or PostgreSQL."""

"""Questions to the ledger's public views and their answers. Knows SQL and Arrow; imports nothing of the sidecar."""

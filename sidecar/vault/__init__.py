"""The vault: secrets sealed with a data key a workspace, which a key-encryption key wraps."""

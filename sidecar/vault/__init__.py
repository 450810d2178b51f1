"""The vault: secrets sealed with a data key a workspace, which a key-encryption key wraps."""

from sidecar.vault.faults import KeeperUnavailable, Tampered, VaultFault, VaultLocked
from sidecar.vault.keeper import Keeper
from sidecar.vault.opening import open_vault
from sidecar.vault.vault import Vault, Verified

__all__ = ["Keeper", "KeeperUnavailable", "Tampered", "Vault", "VaultFault", "VaultLocked", "Verified", "open_vault"]

"""What keeps the vault from sealing or opening. No message holds a secret, a key or a keeper's own words.

VaultFault
├ VaultLocked          no key-encryption key is given that this was wrapped with (or none at all)
│ └ KeeperUnavailable  it is kept elsewhere, and its keeper does not let us use it at present: try again
└ Tampered             what is stored is not what was sealed for this row
"""

from __future__ import annotations

from sidecar.core.faults import Refusal, RefusalReason


class VaultFault(Exception):
    """The message is for people."""


class VaultLocked(VaultFault):
    def refusal(self) -> Refusal:
        """For a caller who wanted to write."""
        return Refusal("FAILED_PRECONDITION", RefusalReason.VAULT_LOCKED, str(self))


class KeeperUnavailable(VaultLocked):
    def refusal(self) -> Refusal:
        return Refusal("UNAVAILABLE", RefusalReason.VAULT_LOCKED, str(self))


class Tampered(VaultFault):
    pass

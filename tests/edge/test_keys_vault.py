"""KeyService and the vault: what is locked is told, and another key-encryption key takes over without a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidecar.core.control import DataKey
from sidecar.vault import Vault, VaultLocked
from taximeter.v1 import keys_pb2 as pb
from tests.support.hostile import hostile
from tests.support.keys import MODELS, OTHER, SECRET, Stage, stage
from tests.support.vault import key_text, vault

REWRAP = pb.RewrapKeysRequest()


async def test_without_a_key_encryption_key_no_provider_is_asked_and_it_is_said_what_to_do() -> None:
    async with stage(vault=Vault([])) as at:
        failed = await at.refused("AddKey", pb.AddKeyRequest(provider="openai", api_key=SECRET))
        assert (failed.code, failed.reason) == ("FAILED_PRECONDITION", "VAULT_LOCKED")
        assert "AI_ENCRYPTION_KEY" in failed.message
        assert not at.provider.hits
        assert (await at.refused("RewrapKeys", REWRAP)).reason == "VAULT_LOCKED"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Short enough for a socket."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="tx") as made:
        yield Path(made)


async def test_what_another_key_encryption_key_sealed_is_locked(folder: Any) -> None:
    async with hostile(MODELS) as provider:
        async with (at := Stage(folder, provider)).serving():
            key = (await at.add()).key
        async with (at := Stage(folder, provider)).serving():
            (told,) = await at.listed()
            assert (told.key_id, told.state) == (key.key_id, pb.KEY_STATE_LOCKED)
            assert not at.catalogs.of("default").accounts["openai"].keys
            for method, request in (
                ("VerifyKey", pb.VerifyKeyRequest(key_id=key.key_id)),
                ("RotateKey", pb.RotateKeyRequest(key_id=key.key_id, api_key=OTHER)),
                ("AddKey", pb.AddKeyRequest(provider="openai", api_key=OTHER)),
            ):
                failed = await at.refused(method, request)
                assert failed.reason == "VAULT_LOCKED"
                assert "AI_ENCRYPTION_KEY_PREVIOUS" in failed.message
            answer = await at.keys.RewrapKeys(REWRAP)
            assert (answer.rewrapped, answer.verified, list(answer.locked_key_ids)) == (0, 0, [key.key_id])
            revoked = await at.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
            assert revoked.key.state == pb.KEY_STATE_REVOKED, "what cannot be opened can still be thrown away"


class Dying(Vault):
    """Dies in the midst of wrapping: at the second data key."""

    rewrapped = 0

    def rewrap(self, data_key: DataKey) -> DataKey:
        self.rewrapped += 1
        if self.rewrapped > 1:
            raise MemoryError("killed")
        return super().rewrap(data_key)


def dying(made: Vault) -> Vault:
    return Dying(made._keepers)


def living(made: Vault) -> Vault:
    return made


@pytest.mark.parametrize("end", [living, dying], ids=["whole", "killed-in-the-middle"])
async def test_another_key_encryption_key_wraps_all_anew(folder: Any, end: Callable[[Vault], Vault]) -> None:
    """Of a crash in the middle nothing is lost: asked again, it goes on."""
    old, new = key_text(), key_text()
    names = ("acme", "brew", "coal")
    async with hostile(MODELS) as provider:
        async with (at := Stage(folder, provider, vault(old))).serving():
            for name in names:
                await at.workspace(name)
                await at.add(workspace=name)
        async with (at := Stage(folder, provider, end(vault(new, old)))).serving():
            if end is dying:
                assert (await at.refused("RewrapKeys", REWRAP)).reason == "INTERNAL"
                at.vault.rewrap = vault(new, old).rewrap  # type: ignore[method-assign]
            answer = await at.keys.RewrapKeys(REWRAP)
            assert answer.rewrapped == (2 if end is dying else 3)
            assert (answer.verified, list(answer.locked_key_ids), answer.kek_id) == (3, [], at.vault.kek_id)
            again = await at.keys.RewrapKeys(REWRAP)
            assert (again.rewrapped, again.verified) == (0, 3)
            actions = [each.action for each in await at.audited()]
            assert actions.count("data_key.rewrap") == 3
        async with (at := Stage(folder, provider, vault(new))).serving():
            for name in names:
                (key,) = at.catalogs.of(name).accounts["openai"].keys
                assert key.secret == SECRET
        with pytest.raises(VaultLocked):
            vault(old).rewrap(next(iter(at.plane.control.data_keys.values())))

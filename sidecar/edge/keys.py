"""KeyService: a workspace's own provider keys. A secret comes in once, and never goes out again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sidecar.core.control import ProviderKey
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import keys_messages as messages
from sidecar.edge.access import actor, room_for_one, workspace_of
from sidecar.edge.keys_check import KeyCheck, spelled
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.health import Health
from sidecar.plane import keyring
from sidecar.plane.keyring import Changes, Keyring, NewKey
from sidecar.plane.plane import ControlPlane
from sidecar.vault import KeeperUnavailable, Tampered, Vault, VaultLocked
from taximeter.v1 import keys_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["KeyService"].full_name
T = TypeVar("T")


class KeyService:
    def __init__(
        self,
        plane: ControlPlane,
        vault: Vault,
        check: KeyCheck,
        health: Health,
        locked: Callable[[], frozenset[str]],
    ) -> None:
        """`locked`: ids of the keys that cannot be opened."""
        self._plane = plane
        self._vault = vault
        self._keyring = Keyring(vault)
        self._check = check
        self._health = health
        self._locked = locked

    def handlers(self, border: Border) -> Handlers:
        async def add(body: bytes, rpc: Rpc) -> bytes:
            return (await self._add(border.parse(pb.AddKeyRequest, body), rpc)).SerializeToString()

        async def listed(body: bytes, rpc: Rpc) -> bytes:
            return self._list(border.parse(pb.ListKeysRequest, body), rpc).SerializeToString()

        async def update(body: bytes, rpc: Rpc) -> bytes:
            return (await self._update(border.parse(pb.UpdateKeyRequest, body), rpc)).SerializeToString()

        async def verify(body: bytes, rpc: Rpc) -> bytes:
            return (await self._verify(border.parse(pb.VerifyKeyRequest, body), rpc)).SerializeToString()

        async def rotate(body: bytes, rpc: Rpc) -> bytes:
            return (await self._rotate(border.parse(pb.RotateKeyRequest, body), rpc)).SerializeToString()

        async def revoke(body: bytes, rpc: Rpc) -> bytes:
            return (await self._revoke(border.parse(pb.RevokeKeyRequest, body), rpc)).SerializeToString()

        async def rewrap(body: bytes, rpc: Rpc) -> bytes:
            border.parse(pb.RewrapKeysRequest, body)
            return (await self._rewrap(rpc)).SerializeToString()

        answers = {
            "AddKey": add,
            "ListKeys": listed,
            "UpdateKey": update,
            "VerifyKey": verify,
            "RotateKey": rotate,
            "RevokeKey": revoke,
            "RewrapKeys": rewrap,
        }
        return {name: border.unary(f"{SERVICE}/{name}", answer) for name, answer in answers.items()}

    async def _add(self, asked: pb.AddKeyRequest, rpc: Rpc) -> pb.AddKeyResponse:
        wrong: messages.Wrong = []
        workspace = rpc.identity.workspace
        provider = self._check.provider(asked.provider, wrong)
        secret = messages.secret_in(asked.api_key, wrong)
        label = messages.label_in(asked.label, wrong)
        scopes = messages.scopes_in(asked.scopes if asked.HasField("scopes") else messages.ALL, wrong)
        limits = messages.limits_in(asked.limits, wrong)
        messages.refuse(wrong)
        good = (key for key in self._plane.control.keys.values() if key.revoked_ns is None)
        room_for_one(good, workspace, "keys", "`taximeter keys revoke`")
        self._is_open()
        url = await self._check.address(provider, asked.base_url, workspace)
        found = await self._check.accepted(provider, url, secret, skip=asked.skip_verification)
        new = NewKey(workspace, provider, secret, scopes, label, url, limits, verified=found.ok)
        who = actor(rpc)
        key = await self._change(rpc, lambda change: self._keyring.add(change, who, new))
        return pb.AddKeyResponse(key=self._told(key), verification=messages.verification_message(found))

    def _list(self, asked: pb.ListKeysRequest, rpc: Rpc) -> pb.ListKeysResponse:
        provider, workspace = spelled(asked.provider), workspace_of(rpc, asked.workspace_id)
        keys = [
            key
            for key in self._plane.control.keys.values()
            if key.workspace == workspace
            and provider in ("", key.provider)
            and (asked.include_revoked or key.revoked_ns is None)
        ]
        keys.sort(key=lambda each: (each.created_ns, each.key_id))
        return pb.ListKeysResponse(keys=map(self._told, keys))

    async def _update(self, asked: pb.UpdateKeyRequest, rpc: Rpc) -> pb.UpdateKeyResponse:
        wrong: messages.Wrong = []
        changes = Changes(
            label=messages.label_in(asked.label, wrong) if asked.HasField("label") else None,
            scopes=messages.scopes_in(asked.scopes, wrong) if asked.HasField("scopes") else None,
            enabled=asked.enabled if asked.HasField("enabled") else None,
            limits=messages.limits_in(asked.limits, wrong) if asked.HasField("limits") else None,
        )
        messages.refuse(wrong)
        who, workspace = actor(rpc), rpc.identity.workspace
        key = await self._change(rpc, lambda change: keyring.update(change, who, workspace, asked.key_id, changes))
        return pb.UpdateKeyResponse(key=self._told(key))

    async def _verify(self, asked: pb.VerifyKeyRequest, rpc: Rpc) -> pb.VerifyKeyResponse:
        """A failure changes nothing: what it means for the key, calls find out."""
        workspace = rpc.identity.workspace
        key = keyring.living(keyring.key_of(self._plane.control, workspace, asked.key_id))
        control = self._plane.control
        secret = await _opening(asyncio.to_thread(self._keyring.secret, control, key))
        await self._check.address(key.provider, key.base_url, workspace)
        found = await self._check.asked(key.provider, key.base_url, secret)
        if found.ok:
            marked = partial(keyring.mark_verified, workspace=workspace, key_id=key.key_id, version=key.version)
            key = await self._change(rpc, marked)
            self._health.forget_key(key.key_id)
        return pb.VerifyKeyResponse(key=self._told(key), verification=messages.verification_message(found))

    async def _rotate(self, asked: pb.RotateKeyRequest, rpc: Rpc) -> pb.RotateKeyResponse:
        wrong: messages.Wrong = []
        secret, workspace = messages.secret_in(asked.api_key, wrong), rpc.identity.workspace
        messages.refuse(wrong)
        self._is_open()
        old = keyring.living(keyring.key_of(self._plane.control, workspace, asked.key_id))
        await self._check.address(old.provider, old.base_url, workspace)
        found = await self._check.accepted(old.provider, old.base_url, secret, skip=asked.skip_verification)
        key = await self._change(
            rpc, lambda change: self._keyring.rotate(change, workspace, old.key_id, secret, verified=found.ok)
        )
        self._health.forget_key(key.key_id)
        return pb.RotateKeyResponse(key=self._told(key), verification=messages.verification_message(found))

    async def _revoke(self, asked: pb.RevokeKeyRequest, rpc: Rpc) -> pb.RevokeKeyResponse:
        who, workspace = actor(rpc), rpc.identity.workspace
        key = await self._change(rpc, lambda change: keyring.revoke(change, who, workspace, asked.key_id))
        self._health.forget_key(key.key_id)
        return pb.RevokeKeyResponse(key=self._told(key))

    async def _rewrap(self, rpc: Rpc) -> pb.RewrapKeysResponse:
        """A change for each data key: what breaks off goes on where it ended, when it is asked again."""
        stale = await _opening(asyncio.to_thread(self._vault.stale, self._plane.control.data_keys.values()))
        rewrapped = 0
        for data_key in stale:
            try:
                one = partial(self._keyring.rewrap, data_key_id=data_key.data_key_id)
                rewrapped += await self._plane.change(actor(rpc), one)
            except KeeperUnavailable as absent:
                raise absent.refusal() from None
            except (VaultLocked, Tampered):  # its keys are told below
                continue
        control = self._plane.control
        verified = await _opening(asyncio.to_thread(self._vault.verify, control.keys.values(), control.data_keys))
        kek_id = await asyncio.to_thread(lambda: self._vault.kek_id)
        return pb.RewrapKeysResponse(
            rewrapped=rewrapped, verified=verified.opened, locked_key_ids=verified.locked, kek_id=kek_id
        )

    def _is_open(self) -> None:
        """Raises Refusal (VAULT_LOCKED) before a provider is asked in vain."""
        if not self._vault.ready:
            raise VaultLocked(self._vault.why_locked).refusal()

    async def _change(self, rpc: Rpc, do: Callable[[Change], T]) -> T:
        """In force for calls when it returns."""
        return await _opening(self._plane.change(actor(rpc), do))

    def _told(self, key: ProviderKey) -> pb.ProviderKey:
        locked, aside = key.key_id in self._locked(), self._health.key_aside(key.key_id)
        state = messages.state_of(key, locked=locked, aside=aside)
        return messages.key_message(key, self._plane.control, state)


async def _opening(work: Awaitable[T]) -> T:
    """What the vault says, as a refusal."""
    try:
        return await work
    except VaultLocked as locked:
        raise locked.refusal() from None
    except Tampered as why:
        raise Refusal("FAILED_PRECONDITION", RefusalReason.VAULT_LOCKED, str(why)) from None

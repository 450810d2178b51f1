"""KeyService over a unix socket: a real store, vault and catalogues, before a provider on loopback."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from sidecar.control.store import ControlStore
from sidecar.core.call import Capability, Operation
from sidecar.core.catalog import Account, Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import AuditEntry, PlatformKeys, Role, Workspace
from sidecar.edge import keys
from sidecar.edge.auth import Identity, Peer
from sidecar.edge.gate import Gate
from sidecar.edge.keys_check import KeyCheck
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.health import Health
from sidecar.plane.catalogs import Catalogs
from sidecar.plane.plane import ControlPlane
from sidecar.plane.verification import Verifier
from sidecar.providers import registry
from sidecar.providers.transport import HttpxTransport
from sidecar.settings import opened, pool_slot
from sidecar.vault import Vault
from sidecar.workspaces import Known
from taximeter import errors
from taximeter.v1 import keys_pb2 as pb
from taximeter.v1 import keys_pb2_grpc
from tests.support.control import ACTOR, sqlite_url
from tests.support.hostile import Act, Hostile, hostile, status
from tests.support.rig import Notes
from tests.support.vault import key_text, vault

MODELS = status(200, {"data": [{"id": "gpt-big"}, {"id": "gpt-small"}]})
SECRET, OTHER = "sk-proj-0123456789abcdwxyz", "sk-proj-9876543210zyxwdcba"


class ByMetadata:
    """Whoever a call says that it is: `workspace` and `role`; the operator if it says nothing."""

    async def identify(self, peer: Peer) -> Identity:
        workspace = [*peer.metadata.get("workspace", ()), "default"][0]
        role = [*peer.metadata.get("role", ()), "admin"][0]
        return Identity(workspace, f"tok-{workspace}-{role}", Role(role))


@dataclass
class Stage:
    """What serves, and what stands behind it. `vault` may be exchanged before `opened`."""

    folder: Path
    provider: Hostile
    vault: Vault = field(default_factory=lambda: vault(key_text()))
    allow_private: bool = False
    notes: Notes = field(default_factory=Notes)
    keys: Any = None
    """The stub."""

    @property
    def address(self) -> str:
        return f"unix:{self.folder / 'k.sock'}"

    @property
    def accounts(self) -> dict[str, Account]:
        """As the configuration has them: without any key of the operator's."""
        openai = Account(
            "openai",
            "openai",
            "openai",
            self.provider.base_url,
            default_models={"smart": "gpt-big", "fast": "gpt-small"},
            operations=frozenset({Operation.CHAT}),
            capabilities=frozenset({Capability.CHAT}),
            unusable="OPENAI_API_KEY is not set",
            display="OpenAI",
        )
        lacking = replace(openai, unusable="its key is not set", display="")
        nowhere = replace(lacking, base_url="")
        return {
            "openai": openai,
            "gemini": replace(lacking, name="gemini", type="gemini", wire="gemini"),
            "azure": replace(nowhere, name="azure", type="azure", wire="azure"),
            "lab": replace(lacking, name="lab", type="vllm", needs_key=False, unusable=""),
            "openai-compatible": replace(nowhere, name="openai-compatible", type="openai-compatible"),
        }

    def told(self, workspace: str = "") -> Sequence[tuple[str, str]]:
        return (("workspace", workspace),) if workspace else ()

    async def add(self, secret: str = SECRET, *, workspace: str = "", **asked: Any) -> pb.AddKeyResponse:
        request = pb.AddKeyRequest(**{"provider": "openai", "api_key": secret, **asked})
        answer: pb.AddKeyResponse = await self.keys.AddKey(request, metadata=self.told(workspace))
        return answer

    async def refused(
        self, method: str, request: Message, workspace: str = "", role: str = "admin"
    ) -> errors.TaximeterError:
        """How it ends, which must not be well."""
        metadata = (*self.told(workspace), ("role", role))
        try:
            await getattr(self.keys, method)(request, metadata=metadata)
        except grpc.aio.AioRpcError as failed:
            return errors.from_rpc(failed)
        raise AssertionError(f"{method} was not refused")

    async def listed(self, workspace: str = "", **asked: Any) -> list[pb.ProviderKey]:
        answer = await self.keys.ListKeys(pb.ListKeysRequest(**asked), metadata=self.told(workspace))
        return list(answer.keys)

    async def audited(self) -> list[AuditEntry]:
        from sidecar.control.query import AuditQuery

        found = await self.plane.ask(lambda store: store.audit(AuditQuery(after_sequence=0, limit=1000)))
        return list(found)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """From here on, as a sidecar that starts."""
        clock = Clock()
        async with AsyncExitStack() as stack:
            transport = HttpxTransport()
            stack.push_async_callback(transport.close)
            self.system = Catalog(self.accounts, {})
            self.plane = ControlPlane(lambda: ControlStore(sqlite_url(self.folder), clock), clock, self.notes)
            opening = partial(opened, wires=registry.built())
            known = Known(opening, pool_slot)
            self.catalogs = Catalogs(lambda: self.system, self.plane, self.vault, known=known, log=self.notes)
            await self.plane.open()
            stack.push_async_callback(self.plane.close)
            self.health = Health(self.system.breaker, clock)
            verifier = Verifier(registry.wire, transport, clock, lambda: 0.1)
            check = KeyCheck(verifier, lambda: self.system, opening, allow_private=self.allow_private)
            service = keys.KeyService(self.plane, self.vault, check, self.health, self.catalogs.locked)
            border = Border(ByMetadata(), Gate(100), self.notes, 1 << 20)
            server = Server({keys.SERVICE: service.handlers(border)}, 1 << 20)
            socket = self.folder / "k.sock"
            server.listen_unix(socket, 0o600)
            await server.start()
            stack.push_async_callback(server.stop)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"unix:{socket}"))
            self.keys = keys_pb2_grpc.KeyServiceStub(channel)
            yield

    async def workspace(self, name: str) -> None:
        made = Workspace(name, platform_keys=PlatformKeys.NEVER)
        await self.plane.change(ACTOR, lambda change: change.put("workspace.create", made))


@asynccontextmanager
async def stage(*script: Act, **values: Any) -> AsyncIterator[Stage]:
    """Serving, unless `vault` and all else are to be set first: see `Stage.serving`."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    try:
        async with hostile(*(script or (MODELS,))) as provider:
            made = Stage(folder, provider, **values)
            async with made.serving():
                yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)

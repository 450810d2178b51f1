"""AliasService over a unix socket: a real store and real catalogues, over the configuration of an environment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from sidecar.control.store import ControlStore
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import AuditEntry, PlatformKeys, ProviderKey, Workspace
from sidecar.edge import aliases
from sidecar.edge.gate import Gate
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.plane.catalogs import Catalogs
from sidecar.plane.plane import ControlPlane
from sidecar.providers import registry
from sidecar.settings import load, opened, pool_slot
from sidecar.settings.built_in import default_aliases
from sidecar.vault import Vault
from sidecar.workspaces import Known
from taximeter import errors
from taximeter.v1 import aliases_pb2 as pb
from taximeter.v1 import aliases_pb2_grpc
from tests.support.control import ACTOR, sqlite_url
from tests.support.keys import ByMetadata
from tests.support.rig import Notes

WRITER: Mapping[str, Any] = {
    "name": "creative-writer",
    "display_name": "Creative writer",
    "modality": "MODALITY_TEXT",
    "capability": "CAPABILITY_TEXT_GENERATION",
    "targets": [
        {"provider": "anthropic", "model": "claude-sonnet-5-5"},
        {"provider": "openai", "model": "gpt-5.4", "weight": 0},
    ],
    "strategy": "ROUTING_STRATEGY_FAILOVER",
    "routing_preference": "ROUTING_PREFERENCE_QUALITY",
    "limits": {"requests_per_minute": 60, "max_tokens": 1000},
    "parameters": {"temperature": 0.7},
    "timeouts": {"ttft": "15s"},
}


def definition(**values: Any) -> pb.AliasDefinition:
    """WRITER, with these fields instead; None: without it."""
    given = {name: value for name, value in {**WRITER, **values}.items() if value is not None}
    return ParseDict(given, pb.AliasDefinition())


@dataclass
class Stage:
    stub: Any
    plane: ControlPlane
    catalogs: Catalogs
    system: Catalog
    folder: Path

    @property
    def address(self) -> str:
        return f"unix:{self.folder / 'a.sock'}"

    async def create(self, workspace: str = "", **values: Any) -> pb.AliasVersion:
        answer = await self.stub.CreateAlias(pb.CreateAliasRequest(alias=definition(**values)), metadata=of(workspace))
        made: pb.AliasVersion = answer.alias
        return made

    async def update(self, workspace: str = "", expected: int = 0, **values: Any) -> pb.AliasVersion:
        request = pb.UpdateAliasRequest(alias=definition(**values), expected_version=expected)
        made: pb.AliasVersion = (await self.stub.UpdateAlias(request, metadata=of(workspace))).alias
        return made

    async def get(self, name: str, version: int = 0, workspace: str = "") -> pb.AliasVersion:
        request = pb.GetAliasRequest(name=name, version=version)
        made: pb.AliasVersion = (await self.stub.GetAlias(request, metadata=of(workspace))).alias
        return made

    async def listed(self, workspace: str = "") -> dict[str, pb.AliasVersion]:
        answer = await self.stub.ListAliases(pb.ListAliasesRequest(), metadata=of(workspace))
        return {each.alias.name: each for each in answer.aliases}

    async def versions(self, name: str, workspace: str = "") -> list[pb.AliasVersion]:
        answer = await self.stub.ListAliasVersions(pb.ListAliasVersionsRequest(name=name), metadata=of(workspace))
        return list(answer.versions)

    async def refused(self, method: str, request: Message, workspace: str = "") -> errors.TaximeterError:
        try:
            await getattr(self.stub, method)(request, metadata=of(workspace))
        except grpc.aio.AioRpcError as failed:
            return errors.from_rpc(failed)
        raise AssertionError(f"{method} was not refused")

    async def workspace(self, name: str, platform_keys: PlatformKeys = PlatformKeys.NEVER) -> None:
        """With the aliases that a new one finds."""

        def create(change: Any) -> None:
            change.put("workspace.create", Workspace(name, platform_keys=platform_keys))
            for version in default_aliases(name, change.now_ns):
                change.put("alias.create", version)

        await self.plane.change(ACTOR, create)

    async def key(self, key: ProviderKey) -> None:
        await self.plane.change(ACTOR, lambda change: change.put("key.add", key))

    async def audited(self) -> list[AuditEntry]:
        from sidecar.control.query import AuditQuery

        found = await self.plane.ask(lambda store: store.audit(AuditQuery(after_sequence=0, limit=1000)))
        return list(found)


def of(workspace: str) -> tuple[tuple[str, str], ...]:
    return (("workspace", workspace),) if workspace else ()


@asynccontextmanager
async def stage(**environ: str) -> AsyncIterator[Stage]:
    """`environ`: of the operator. Without any key there is none."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    clock, notes = Clock(), Notes()
    try:
        async with AsyncExitStack() as stack:
            system = load(environ, folder, registry.built()).catalog
            plane = ControlPlane(lambda: ControlStore(sqlite_url(folder), clock), clock, notes)
            known = Known(lambda account, url: opened(account, url, registry.built()), pool_slot)
            catalogs = Catalogs(lambda: system, plane, Vault(()), known=known, log=notes)
            await plane.open()
            stack.push_async_callback(plane.close)
            service = aliases.AliasService(plane, lambda: system, catalogs.of, clock)
            border = Border(ByMetadata(), Gate(100), notes, 1 << 20)
            server = Server({aliases.SERVICE: service.handlers(border)}, 1 << 20)
            server.listen_unix(folder / "a.sock", 0o600)
            await server.start()
            stack.push_async_callback(server.stop)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"unix:{folder / 'a.sock'}"))
            yield Stage(aliases_pb2_grpc.AliasServiceStub(channel), plane, catalogs, system, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

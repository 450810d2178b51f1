"""ConfigService over gRPC."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING
from sidecar.edge.auth import Callers
from sidecar.edge.config import SERVICE, ConfigService
from sidecar.edge.gate import Gate
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.settings import Configuration, Prepared
from taximeter import errors
from taximeter.v1 import config_pb2 as pb
from taximeter.v1 import config_pb2_grpc
from tests.support.config import load
from tests.support.rig import Notes


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Any]:
    """A stub; the configuration is the folder's taximeter.toml."""

    def prepare() -> Prepared:
        return Prepared(load(tmp_path, "OPENAI_API_KEY=KEY"))

    configuration = Configuration(load(tmp_path, "OPENAI_API_KEY=KEY"), prepare, Clock(), Notes())
    border = Border(Callers(lambda: NOTHING, Clock()), Gate(1), Notes(), 1 << 20)
    server = Server({SERVICE: ConfigService(configuration).handlers(border)}, 1 << 20)
    with tempfile.TemporaryDirectory(prefix="tx") as folder:
        server.listen_unix(Path(folder) / "s", 0o600)
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
            yield config_pb2_grpc.ConfigServiceStub(channel)
        await server.stop()


async def test_reload_tells_what_has_changed(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text("[aliases.mine]\nchain = ['openai/x']\n")
    dry = await asked.Reload(pb.ReloadRequest(dry_run=True))
    assert (dry.generation, list(dry.changes)) == (1, ["alias mine: added, failover: openai/x"])
    done = await asked.Reload(pb.ReloadRequest())
    assert (done.generation, done.changes) == (2, dry.changes)
    status = await asked.GetConfigStatus(pb.GetConfigStatusRequest())
    assert (status.generation, list(status.errors), status.HasField("refused_at")) == (2, [], False)


async def test_a_refusal_lists_every_error(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text("[system]\ngrace = 'soon'\nnope = 1\n")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asked.Reload(pb.ReloadRequest())
    error = errors.from_rpc(refused.value)
    assert isinstance(error, errors.InvalidConfiguration)
    assert (error.code, error.metadata["errors"]) == ("FAILED_PRECONDITION", "2")
    assert [where for where, _ in error.violations] == ["taximeter.toml: system.nope", "taximeter.toml: system.grace"]
    status = await asked.GetConfigStatus(pb.GetConfigStatusRequest())
    assert (status.generation, len(status.errors), status.HasField("refused_at")) == (1, 2, True)


async def test_more_errors_than_a_status_holds_are_all_in_the_configurations_own(asked: Any, tmp_path: Path) -> None:
    chains = "".join(f"[aliases.a{number}]\nchain = ['nobody-{number}/x']\n" for number in range(200))
    (tmp_path / "taximeter.toml").write_text(chains)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asked.Reload(pb.ReloadRequest())
    error = errors.from_rpc(refused.value)
    assert error.metadata["errors"] == "200"
    assert 0 < len(error.violations) < 200
    assert len((await asked.GetConfigStatus(pb.GetConfigStatusRequest())).errors) == 200

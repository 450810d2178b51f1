"""Where the server listens, to whom it answers, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sidecar.edge.listen import CannotListen, Tls
from sidecar.edge.server import Server
from taximeter import AsyncClient, errors
from tests.edge.conftest import MakeScene
from tests.support import hostile as on

GOOD = (on.answer("hello"),)


def own_address() -> str:
    """An address of this machine that is not loopback; skips without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation's network: only the route is looked up
            found = str(probe.getsockname()[0])
        except OSError as error:
            pytest.skip(f"no address but loopback here: {error}")
    if found.startswith("127."):
        pytest.skip("no address but loopback here")
    return found


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here to make certificates with: TLS IS NOT TESTED")
        self._folder = folder
        self.signed("ca", "/CN=test authority", authority=True)
        self.pem = (folder / "ca.pem").read_bytes()

    def signed(self, name: str, subject: str, *, authority: bool = False, alternative: str = "") -> tuple[bytes, bytes]:
        """(certificate, key), PEM."""
        issuer = [] if authority else ["-CA", "ca.pem", "-CAkey", "ca.key"]
        extra = ["-addext", f"subjectAltName={alternative}"] if alternative else []
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.pem", *issuer, *extra],
            cwd=self._folder, check=True, capture_output=True,
        )  # fmt: skip
        return (self._folder / f"{name}.pem").read_bytes(), (self._folder / f"{name}.key").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def text(address: str, credentials: grpc.ChannelCredentials | None = None) -> str:
    async with AsyncClient(address, credentials=credentials, timeout=10) as client:
        return (await client.chat("hello", alias="smart")).text


async def test_tls(authority: Authority, scene: MakeScene) -> None:
    certificate, key = authority.signed("server", "/CN=localhost", alternative="DNS:localhost,IP:127.0.0.1")
    served, _ = await scene(GOOD, edge={"tls": Tls(certificate, key)})
    assert await text(served.address, grpc.ssl_channel_credentials(authority.pem)) == "hello"
    with pytest.raises(errors.SidecarUnavailable):
        await text(served.address)
    assert served.records[0].caller == ""


async def test_mutual_tls_names_the_caller(authority: Authority, scene: MakeScene) -> None:
    certificate, key = authority.signed("server", "/CN=localhost", alternative="DNS:localhost,IP:127.0.0.1")
    theirs, their_key = authority.signed("client", "/CN=billing-service")
    served, _ = await scene(GOOD, edge={"tls": Tls(certificate, key, authority.pem)})
    shown = grpc.ssl_channel_credentials(authority.pem, their_key, theirs)
    assert await text(served.address, shown) == "hello"
    assert [record.caller for record in served.records] == ["cert:billing-service"]
    with pytest.raises(errors.SidecarUnavailable):
        await text(served.address, grpc.ssl_channel_credentials(authority.pem))


async def test_another_authoritys_certificate_is_refused(
    authority: Authority, scene: MakeScene, tmp_path: Path
) -> None:
    certificate, key = authority.signed("server", "/CN=localhost", alternative="DNS:localhost,IP:127.0.0.1")
    (tmp_path / "other").mkdir()
    theirs, their_key = Authority(tmp_path / "other").signed("client", "/CN=billing-service")
    served, _ = await scene(GOOD, edge={"tls": Tls(certificate, key, authority.pem)})
    with pytest.raises(errors.SidecarUnavailable):
        await text(served.address, grpc.ssl_channel_credentials(authority.pem, their_key, theirs))
    assert served.records == []


async def test_a_remote_caller_is_not_authenticated(scene: MakeScene) -> None:
    """Encryption alone, or an open port, says nothing of who calls."""
    served, _ = await scene(GOOD, edge={"listen": f"{own_address()}:0"})
    with pytest.raises(errors.Unauthenticated, match="TAXIMETER_TLS_CLIENT_CA"):
        await text(served.address)
    assert (served.gate.unauthenticated, served.records) == (1, [])
    async with AsyncClient(served.socket, timeout=10) as client:
        assert (await client.chat("hello", alias="smart")).text == "hello"


async def test_a_remote_caller_with_a_certificate_is(authority: Authority, scene: MakeScene) -> None:
    host = own_address()
    certificate, key = authority.signed("server", "/CN=remote", alternative=f"IP:{host}")
    theirs, their_key = authority.signed("client", "/CN=pod-7")
    served, _ = await scene(GOOD, edge={"listen": f"{host}:0", "tls": Tls(certificate, key, authority.pem)})
    assert await text(served.address, grpc.ssl_channel_credentials(authority.pem, their_key, theirs)) == "hello"
    assert served.records[0].caller == "cert:pod-7"


@pytest.fixture
async def server() -> Any:
    made = Server({}, 1 << 20)
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("address", "tls", "says"),
    [
        pytest.param("nonsense", None, "is not HOST:PORT", id="no-port"),
        pytest.param("127.0.0.1:99999", None, "is not HOST:PORT", id="port-too-high"),
        pytest.param("0.0.0.0:0", None, "Set TAXIMETER_TLS_CERT", id="open-without-tls"),
        pytest.param("[::]:0", None, "Set TAXIMETER_TLS_CERT", id="open-without-tls-v6"),
        pytest.param("no.such.host.invalid:1", Tls(b"x", b"y"), "Cannot listen on|not known here", id="no-such-host"),
        pytest.param("127.0.0.1:0", Tls(b"bad", b"bad"), "check it, and the certificate", id="no-certificate"),
        pytest.param("198.51.100.77:0", Tls(b"x", b"y"), "Cannot listen on", id="not-our-address"),
    ],
)  # fmt: skip
async def test_an_address_that_cannot_be(server: Server, address: str, tls: Tls | None, says: str) -> None:
    with pytest.raises(CannotListen, match=says):
        server.listen_tcp(address, tls, allow_insecure=False)


async def test_a_port_in_use(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"Port {port} on 127.0.0.1 is in use"):
            server.listen_tcp(f"127.0.0.1:{port}", None, allow_insecure=False)


async def test_two_servers_do_not_share_a_port(server: Server) -> None:
    """SO_REUSEPORT would let a second sidecar take half of the calls."""
    address = server.listen_tcp("127.0.0.1:0", None, allow_insecure=False)
    await server.start()
    other = Server({}, 1 << 20)
    with pytest.raises(CannotListen, match="is in use"):
        other.listen_tcp(address, None, allow_insecure=False)
    await other.stop()


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tx") as folder:
        yield Path(folder)


async def test_a_socket_is_its_owners(server: Server, short: Path) -> None:
    server.listen_unix(short / "s", 0o600)
    assert (short / "s").stat().st_mode & 0o777 == 0o600


async def test_a_dead_socket_is_replaced_a_living_one_is_not(server: Server, short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short / "s"))
    server.listen_unix(short / "s", 0o600)
    await server.start()
    other = Server({}, 1 << 20)
    with pytest.raises(CannotListen, match="Another process serves"):
        await asyncio.to_thread(other.listen_unix, short / "s", 0o600)
    await other.stop()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("x" * 120, "longer than 107 bytes", id="too-long"),
        pytest.param("missing/s", "must exist and be writable", id="no-directory"),
    ],
)
async def test_a_socket_that_cannot_be(server: Server, short: Path, path: str, says: str) -> None:
    with pytest.raises(CannotListen, match=says):
        server.listen_unix(short / path, 0o600)

"""Whatever bytes and metadata come in, on every RPC: a gRPC status goes out, and the sidecar serves on."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.edge.roles import ACCESS
from taximeter import Client
from tests.support.protofuzz import damaged, messages, request_of, rpc
from tests.support.stack import Process, Stack, stack
from tests.support.vault import key_text

pytestmark = [pytest.mark.xdist_group("fuzz"), pytest.mark.timeout(300)]

METHODS = sorted(method for method in ACCESS if method.startswith("taximeter."))
EXAMPLES = 20
OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
"""Codes that say that we are at fault."""
TIMEOUT_S = 10.0
LISTEN_S = 0.2
"""To a stream that may have no end."""
GONE = "ExecuteBatchError"
"""gRPC's own line about an answer whose caller had left."""
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
CREDENTIALS = st.one_of(
    PRINTABLE,
    PRINTABLE.map(lambda text: f"Bearer {text}"),
    PRINTABLE.map(lambda text: f"Bearer txm_aaaaaaaaaaaa_{text}"),
    PRINTABLE.map(lambda text: f"bearer eyJhbGciOiJub25lIn0.{text}."),
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "authorization": CREDENTIALS,
        "traceparent": st.one_of(PRINTABLE, st.just("00-" + "f" * 32 + "-" + "f" * 16 + "-ff")),
        "tracestate": PRINTABLE,
        "x-request-id": PRINTABLE,
        "workspace": PRINTABLE,
        "content-language": PRINTABLE,
        "grpc-trace-bin": st.binary(max_size=60),
        "anything-bin": st.binary(max_size=60),
    },
)


@dataclass
class Target:
    stack: Stack
    sidecar: Process
    channel: grpc.Channel
    read: int = 0
    """Characters of its log that were looked at."""

    def ask(self, method: str, body: bytes, metadata: Any = (), timeout_s: float = TIMEOUT_S) -> grpc.StatusCode:
        """How it ends. Of a stream the first part is enough, or that none comes for a while."""
        parts = rpc(method).server_streaming
        kind: Any = self.channel.unary_stream if parts else self.channel.unary_unary
        try:
            call = kind(f"/{method}")(body, timeout=min(timeout_s, LISTEN_S) if parts else timeout_s, metadata=metadata)
            if parts:
                next(iter(call), None)
                call.cancel()
        except grpc.RpcError as ended:
            return code_of(ended)
        return grpc.StatusCode.OK

    def serves(self) -> None:
        """The same process, with nothing to complain about but its callers."""
        assert self.sidecar.popen.poll() is None, self.sidecar.said()
        with Client(self.stack.address, timeout=20) as client:
            assert client.providers()
        said = self.sidecar.log.read_text()[self.read :]
        self.read += len(said)
        wrong = [line for line in said.splitlines() if "rpc_failed" in line or "Traceback" in line]
        assert [line for line in wrong if GONE not in line][:3] == []


def code_of(ended: Any) -> grpc.StatusCode:
    code: grpc.StatusCode = ended.code()
    return code


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with stack(AI_ENCRYPTION_KEY=key_text(), LOG_LEVEL="debug", TAXIMETER_TIME_SCALE="0.1") as running:
        running.provider()
        sidecar, _ = running.sidecar(), running.bookkeeper()
        with grpc.insecure_channel(running.address) as channel:
            yield Target(running, sidecar, channel)


@pytest.mark.parametrize("method", METHODS)
def test_bytes(target: Target, method: str) -> None:
    @often
    @given(damaged(request_of(method)))
    def ask(body: bytes) -> None:
        assert target.ask(method, body) not in OURS

    ask()
    target.serves()


@pytest.mark.parametrize("method", METHODS)
def test_messages(target: Target, method: str) -> None:
    @often
    @given(messages(request_of(method)))
    def ask(message: Any) -> None:
        assert target.ask(method, message.SerializeToString()) not in OURS

    ask()
    target.serves()


@pytest.mark.parametrize("method", METHODS)
def test_metadata(target: Target, method: str) -> None:
    @often
    @given(METADATA, st.sampled_from([TIMEOUT_S, 0.0001]))
    def ask(metadata: dict[str, Any], timeout_s: float) -> None:
        assert target.ask(method, b"", tuple(metadata.items()), timeout_s) not in OURS

    ask()
    target.serves()


@pytest.mark.parametrize(
    "method", ["taximeter.v1.KeyService/Nothing", "nobody/Nothing", "x", "", "taximeter.v1.KeyService/AddKey/more"]
)
def test_a_method_that_is_none(target: Target, method: str) -> None:
    call: Any = target.channel.unary_unary(f"/{method}")
    with pytest.raises(grpc.RpcError) as told:
        call(b"", timeout=TIMEOUT_S)
    assert code_of(told.value) is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("seed", range(8))
def test_noise_on_the_connection(target: Target, seed: int) -> None:
    """What is no HTTP/2, or begins as if it were."""
    chance = random.Random(seed)
    noise = chance.randbytes(4096)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings_frame = bytes(3) + b"\x04" + bytes(5)
    beginnings = (b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", preface, preface + settings_frame)
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(str(target.stack.home / "taximeter.sock"))
        connection.sendall(beginnings[seed % 4] + noise)
    target.serves()

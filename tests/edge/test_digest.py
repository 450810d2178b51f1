"""What makes two requests the same: everything but the id they carry."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from sidecar.edge.decode import decode
from taximeter.v1 import invocation_pb2 as pb
from tests.support.edge import arrival, catalog, chat_spec

ONE, TWO = "6f1f5a3e-0b1c-4d7e-9a53-2f6a1c0f8f11", "6f1f5a3e-0b1c-4d7e-9a53-2f6a1c0f8f12"


def digest(request_id: str = ONE, *, streamed: bool = False, **fields: Any) -> bytes:
    spec = chat_spec(request_id=request_id, **fields)
    found = decode(spec, arrival(streamed=streamed), catalog(), max_tags=4)
    assert spec.request_id == request_id, "the request is left as it came"
    assert found.digest == found.call.request_digest
    return found.digest


def test_it_has_32_bytes() -> None:
    assert len(digest()) == 32


def test_the_id_is_no_part_of_it() -> None:
    assert digest(ONE) == digest(TWO)


def test_a_call_without_an_id_has_none() -> None:
    assert digest("") == b""


def test_the_order_of_names_is_no_part_of_it() -> None:
    options = [{"openai": {"a": 1, "b": {"c": 2, "d": 3}}}, {"openai": {"b": {"d": 3, "c": 2}, "a": 1}}]
    made = [
        ParseDict({"chat": {"prompt": "hi", "providerOptions": each}, "requestId": ONE}, pb.CallSpec())
        for each in options
    ]
    assert decode(made[0], arrival(), catalog(), 4).digest == decode(made[1], arrival(), catalog(), 4).digest
    assert digest(tags={"team": "a", "feature": "b"}) == digest(tags={"feature": "b", "team": "a"})


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"streamed": True}, id="streamed"),
        pytest.param({"alias": "fast"}, id="alias"),
        pytest.param({"tags": {"team": "b"}}, id="tags"),
        pytest.param({"conversation_id": "c"}, id="conversation"),
        pytest.param({"preferred_provider": "groq"}, id="preferred-provider"),
        pytest.param({"workspace_id": "default"}, id="workspace"),
    ],
)
def test_all_else_is(fields: dict[str, Any]) -> None:
    assert digest(**fields) != digest()


def test_a_workspace_without_retention_journals_none() -> None:
    spec = chat_spec(request_id=ONE)
    found = decode(spec, arrival(), catalog(zero_retention=True), max_tags=4)
    assert (len(found.digest), found.call.request_digest) == (32, b"")

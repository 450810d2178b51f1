"""Every RPC there is, from the services' descriptors, and what a real sidecar says to a caller who asks it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

import taximeter.v1
from taximeter import errors

FIRST_S = 20.0
"""Until an answer, or the first message of a stream."""


@dataclass(frozen=True, slots=True)
class Said:
    """How an RPC ended. `code` is OK once anything was answered."""

    code: str
    reason: str = ""
    message: str = ""

    @property
    def let_in(self) -> bool:
        """Whatever came of it: who asked may ask."""
        return self.code != "UNAUTHENTICATED" and self.reason != "ROLE_REQUIRED"

    @property
    def served(self) -> bool:
        """gRPC itself answers for methods that nobody serves."""
        return not (self.code == "UNIMPLEMENTED" and not self.reason)


def methods() -> dict[str, MethodDescriptor]:
    """Full name ("taximeter.v1.InvocationService/Invoke") -> descriptor, of every service in the protos."""
    return {f"{each.containing_service.full_name}/{each.name}": each for each in _methods()}


def _methods() -> Iterator[MethodDescriptor]:
    for found in pkgutil.iter_modules(taximeter.v1.__path__):
        if found.name.endswith("_pb2"):
            module = importlib.import_module(f"taximeter.v1.{found.name}")
            for service in module.DESCRIPTOR.services_by_name.values():
                yield from service.methods


def names_a_workspace(method: MethodDescriptor) -> str:
    """The field of its request that names a workspace ("workspace_id", "budget.workspace_id"); empty: none does."""
    fields = method.input_type.fields_by_name
    if "workspace_id" in fields:
        return "workspace_id"
    for name, field in fields.items():
        if field.message_type is not None and "workspace_id" in field.message_type.fields_by_name:
            return f"{name}.workspace_id"
    return ""


def request(method: MethodDescriptor, workspace: str = "") -> Message:
    """An empty one, or one that names a workspace and nothing else."""
    made: Message = message_factory.GetMessageClass(method.input_type)()
    if workspace:
        *owners, field = names_a_workspace(method).split(".")
        owner: Any = made
        for name in owners:
            owner = getattr(owner, name)
        setattr(owner, field, workspace)
    return made


def ask(channel: grpc.Channel, name: str, body: Message, token: str = "") -> Said:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    open_call: Any = channel.unary_stream if methods()[name].server_streaming else channel.unary_unary
    try:
        answer = open_call(f"/{name}")(body.SerializeToString(), timeout=FIRST_S, metadata=metadata)
        if methods()[name].server_streaming:
            next(iter(answer), None)
            answer.cancel()
    except grpc.RpcError as failed:
        error = errors.from_rpc(failed)
        return Said(error.code, error.reason, error.message)
    return Said("OK")

"""ModelService: the models that a self-hosted provider holds on its disk. Only Ollama can be asked for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from sidecar.core.catalog import SYSTEM_TIMEOUTS, Account, Catalog
from sidecar.core.faults import (
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Fault,
    KeyRejected,
    ModelNotFound,
    Refusal,
    RefusalReason,
    ResponseTimeout,
)
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.shown import is_own
from sidecar.providers import ollama_models
from sidecar.providers.ollama_fault import fault_of_response
from sidecar.providers.transport import Transport
from sidecar.providers.wire import HttpRequest, HttpResponse
from sidecar.workspaces import serving
from taximeter.v1 import models_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["ModelService"].full_name
DEFAULT_PROVIDER = "ollama"
ANSWER_S = 30.0
"""Until it has listed, shown or deleted. A pull takes as long as it takes: its caller stops it."""
PULL_BYTES = 1 << 40
"""Of progress in one pull, which may take days: no bound in practice, and nothing of it is kept."""
_UNANSWERED = (ConnectFailed, ConnectTimeout, ConnectionReset, ResponseTimeout)

M = TypeVar("M", bound=Message)
Write = Callable[[bytes], Awaitable[None]]


class ModelService:
    def __init__(self, catalog: Callable[[str], Catalog], transport: Transport) -> None:
        """`catalog`: what a workspace sees."""
        self._catalog = catalog
        self._transport = transport

    def handlers(self, border: Border) -> Handlers:
        def unary(
            name: str, kind: type[M], answer: Callable[[M, Catalog], Awaitable[Message]]
        ) -> grpc.RpcMethodHandler[Any, Any]:
            async def ask(body: bytes, rpc: Rpc) -> bytes:
                seen = self._catalog(rpc.identity.workspace)
                return (await answer(border.parse(kind, body), seen)).SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        async def pull(body: bytes, rpc: Rpc, write: Write) -> None:
            seen = self._catalog(rpc.identity.workspace)
            await self._pull(border.parse(pb.PullLocalModelRequest, body), seen, write)

        return {
            "ListLocalModels": unary("ListLocalModels", pb.ListLocalModelsRequest, self._list),
            "ShowLocalModel": unary("ShowLocalModel", pb.ShowLocalModelRequest, self._show),
            "DeleteLocalModel": unary("DeleteLocalModel", pb.DeleteLocalModelRequest, self._delete),
            "PullLocalModel": border.parts(f"{SERVICE}/PullLocalModel", pull),
        }

    async def _list(self, asked: pb.ListLocalModelsRequest, seen: Catalog) -> Message:
        account = _account(asked.provider, seen)
        request = ollama_models.list_request(account, _secret(account))
        with told(account, seen):
            return ollama_models.listed(await self._send(request, account, seen))

    async def _show(self, asked: pb.ShowLocalModelRequest, seen: Catalog) -> Message:
        account = _account(asked.provider, seen)
        request = ollama_models.show_request(_named(asked.model), account, _secret(account))
        with told(account, seen, asked.model):
            return ollama_models.shown(asked.model, await self._send(request, account, seen))

    async def _delete(self, asked: pb.DeleteLocalModelRequest, seen: Catalog) -> Message:
        account = _account(asked.provider, seen)
        request = ollama_models.delete_request(_named(asked.model), account, _secret(account))
        with told(account, seen, asked.model):
            await self._send(request, account, seen)
        return pb.DeleteLocalModelResponse()

    async def _pull(self, asked: pb.PullLocalModelRequest, seen: Catalog, write: Write) -> None:
        """Hanging up closes the connection, which stops the pull; what was downloaded is kept by the server."""
        account = _account(asked.provider, seen)
        request = ollama_models.pull_request(_named(asked.model), account, _secret(account))
        reader = ollama_models.PullReader()
        with told(account, seen, asked.model, "What was downloaded so far is kept: pull again."):
            async with self._transport.stream(request, connect_s=_connect_s(account), max_bytes=PULL_BYTES) as answer:
                if answer.status >= 300:
                    raise fault_of_response(HttpResponse(answer.status, answer.headers, await answer.body()))
                async for data in answer.chunks():
                    for progress in reader.feed(data):
                        await write(progress.SerializeToString())
                for progress in reader.finish():
                    await write(progress.SerializeToString())

    async def _send(self, request: HttpRequest, account: Account, seen: Catalog) -> HttpResponse:
        """Raises a Fault for anything but a good answer in time."""
        try:
            async with asyncio.timeout(ANSWER_S):
                response = await self._transport.send(
                    request, connect_s=_connect_s(account), max_bytes=seen.max_answer_bytes
                )
        except TimeoutError:
            raise ResponseTimeout(f"no answer within {ANSWER_S:g} s") from None
        if response.status >= 300:
            raise fault_of_response(response)
        return response


def _account(name: str, seen: Catalog) -> Account:
    """Raises Refusal for one that is not there, lacks something, or is no Ollama."""
    accounts, name = serving(seen), name or DEFAULT_PROVIDER
    account = accounts.get(name)
    if account is None:
        configured = ", ".join(sorted(accounts)) or "none"
        raise Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_PROVIDER,
            f"Unknown provider {name!r}. Configured: {configured}.",
            {"provider": name},
        )
    if account.wire != "ollama":
        able = ", ".join(sorted(each.name for each in accounts.values() if each.wire == "ollama"))
        raise Refusal(
            "UNIMPLEMENTED",
            RefusalReason.OPERATION_NOT_SUPPORTED,
            f"{account.display or account.name} does not offer management of local models; accounts of type ollama"
            f" do ({able or 'none is configured'}).",
            {"provider": name},
        )
    if account.unusable:
        raise Refusal(
            "FAILED_PRECONDITION",
            RefusalReason.PROVIDER_NOT_INITIALIZED,
            f"Provider not initialized: {account.unusable}",
            {"provider": name},
        )
    return account


@contextmanager
def told(account: Account, seen: Catalog, model: str = "", hint: str = "") -> Iterator[None]:
    """Faults leave as what they mean to the one who asked; `hint`: what to do where nothing better is known."""
    try:
        yield
    except Fault as fault:
        at = f" at {account.base_url}" if is_own(account, seen) else ""
        raise _refusal(account, at, model, fault, hint) from None


def _refusal(account: Account, at: str, model: str, fault: Fault, hint: str) -> Refusal:
    words, who = fault.message, {"provider": account.name}
    for key in account.keys:
        words = key.hidden_in(words)
    if isinstance(fault, _UNANSWERED):
        return Refusal(
            "UNAVAILABLE",
            RefusalReason.NO_PROVIDER_AVAILABLE,
            f"{account.name} does not answer{at} ({words or fault.error_type}). Start it "
            "(`ollama serve`), or correct its URL (OLLAMA_BASE_URL).",
            who,
        )
    if isinstance(fault, ModelNotFound) or "file does not exist" in words:
        return Refusal(
            "NOT_FOUND",
            RefusalReason.MODEL_NOT_FOUND,
            f"Model not found: {model!r} at provider {account.name!r} ({words}). `taximeter models list` shows what is "
            "there, ollama.com/library what can be pulled.",
            who | {"model": model},
        )
    if isinstance(fault, KeyRejected):
        return _failed(f"{account.name} did not accept its key: {words}", who)
    if "no space left" in words or "not enough space" in words:
        return _failed(f"The disk of {account.name} is full: {words}. `taximeter models delete` makes room.", who)
    return _failed(f"{account.name}: {words or fault.error_type}. {hint}".strip(), who)


def _failed(message: str, metadata: dict[str, str]) -> Refusal:
    return Refusal("FAILED_PRECONDITION", RefusalReason.LOCAL_MODELS_FAILED, message, metadata)


def _named(model: str) -> str:
    """Raises Refusal if there is no name."""
    if not model.strip():
        raise Refusal(
            "INVALID_ARGUMENT",
            RefusalReason.INVALID_REQUEST,
            "Name a model.",
            field_violations=(("model", "is required"),),
        )
    return model


def _secret(account: Account) -> str:
    return account.keys[0].secret if account.keys else ""


def _connect_s(account: Account) -> float:
    return account.timeouts.connect_s or SYSTEM_TIMEOUTS.connect_s or 5.0

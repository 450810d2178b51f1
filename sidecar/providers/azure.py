"""The Azure OpenAI wire: OpenAI's language at Azure's addresses, with Azure's keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from sidecar.core.call import Operation
from sidecar.core.catalog import Account
from sidecar.providers import openai_reply, openai_request, responses_request
from sidecar.providers.azure_address import Address, address_of
from sidecar.providers.azure_fault import fault_of_response
from sidecar.providers.azure_stream import AzureStream
from sidecar.providers.http import headers_for
from sidecar.providers.openai_stream import ChatParts, completion_parts
from sidecar.providers.wire import Codec, HttpRequest, Reader, Wire
from taximeter.v1 import payload_pb2 as pb

Encode = Callable[[Any, str, bool, Account, str], HttpRequest]


def at_azure(path: str, encode: Encode) -> Encode:
    """A request of the OpenAI wire, sent to where Azure has that operation."""

    def encoded(payload: Any, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
        address = _address(account)
        request = encode(payload, address.model(model), stream, _opened_by(account, secret, address), secret)
        return replace(request, url=address.url(path, model))

    return encoded


def encode_response(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    address = _address(account)
    account = _opened_by(account, secret, address)
    body = responses_request.body_of(request, address.deployment or model, stream, account)
    headers = headers_for(account, secret, stream=stream)
    return HttpRequest("POST", address.responses_url, headers, orjson.dumps(body))


def _address(account: Account) -> Address:
    return address_of(account.base_url, str(account.options.get("api_version") or ""))


def _opened_by(account: Account, secret: str, address: Address) -> Account:
    """The account as this secret and address have it: a key goes as `api-key`, a token of Entra ID as bearer
    (learn.microsoft.com/azure/ai-services/openai/reference#authentication). Such a token is a JWT."""
    token = secret.startswith("eyJ") and secret.count(".") == 2
    ours = {"max_tokens": address.max_tokens, "stream_usage": address.stream_options}
    return replace(account, options={**account.options, **ours, **({"auth": "bearer"} if token else {})})


def chat_reader() -> Reader:
    return AzureStream(ChatParts())


def completion_reader() -> Reader:
    return AzureStream(completion_parts)


WIRE: Wire = {
    Operation.CHAT: Codec(
        at_azure("/chat/completions", openai_request.encode_chat),
        openai_reply.decode_chat,
        fault_of_response,
        reader=chat_reader,
    ),
    Operation.COMPLETION: Codec(
        at_azure("/completions", openai_request.encode_completion),
        openai_reply.decode_completion,
        fault_of_response,
        reader=completion_reader,
    ),
    Operation.EMBEDDING: Codec(
        at_azure("/embeddings", openai_request.encode_embedding), openai_reply.decode_embedding, fault_of_response
    ),
}

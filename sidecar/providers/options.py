"""`provider_options`: what a caller says to one provider, past our fields."""

from __future__ import annotations

from typing import Any

from sidecar.core.catalog import Account
from sidecar.providers.structs import to_plain
from taximeter.v1 import payload_pb2 as pb

Request = pb.ChatRequest | pb.CompletionRequest | pb.EmbeddingRequest | pb.ModerationRequest


def own_options(request: Request, account: Account, also: str = "") -> dict[str, Any]:
    """The provider's own fields, untouched: under `also`, its type's name, its account's; the later win."""
    if not request.HasField("provider_options"):
        return {}
    options: dict[str, Any] = {}
    for name in dict.fromkeys((also, account.type, account.name)):
        if name in request.provider_options.fields:
            options |= to_plain(request.provider_options.fields[name].struct_value)
    return options

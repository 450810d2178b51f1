"""`provider_options`: what a caller says to one provider, past our fields."""

from __future__ import annotations

from collections.abc import Mapping
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


def keep_nothing(body: dict[str, Any], account: Account, fields: Mapping[str, Any]) -> None:
    """Asks the provider to keep nothing of what a workspace without retention asks, whatever the options say."""
    if not account.zero_retention:
        return
    for name, value in fields.items():
        before = body.get(name)
        body[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, Mapping) else value
    if "store" in body:
        body["store"] = False

"""How keys of providers look on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sidecar.commands.show import count, when

if TYPE_CHECKING:
    from taximeter.v1 import keys_pb2 as pb

COLUMNS = ("key", "provider", "label", "secret", "state", "scopes", "limits a month", "verified", "address")
SCOPES = ("text", "image", "audio", "video")


def row(key: pb.ProviderKey) -> tuple[str, ...]:
    return (
        key.key_id,
        key.provider,
        key.label or "-",
        key.masked or "-",
        state(key),
        scopes(key),
        "; ".join(_limit_words(key)) or "-",
        when(key.verified_at.ToDatetime()) if key.HasField("verified_at") else "-",
        key.base_url or "-",
    )


def state(key: pb.ProviderKey) -> str:
    from taximeter.v1 import keys_pb2 as pb

    return pb.KeyState.Name(key.state).removeprefix("KEY_STATE_").lower()


def scopes(key: pb.ProviderKey) -> str:
    return ",".join(name for name in SCOPES if getattr(key.scopes, name))


def limits(key: pb.ProviderKey) -> str:
    return "".join(f", {words} a month" for words in _limit_words(key))


def _limit_words(key: pb.ProviderKey) -> Iterator[str]:
    of_month = key.limits
    if of_month.HasField("monthly_budget_usd"):
        yield f"${of_month.monthly_budget_usd}"
    if of_month.HasField("monthly_tokens"):
        yield f"{count(of_month.monthly_tokens)} tokens"
    if of_month.HasField("monthly_requests"):
        yield f"{count(of_month.monthly_requests)} requests"

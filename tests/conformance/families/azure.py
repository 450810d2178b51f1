"""Azure OpenAI and the other models of Microsoft Foundry: OpenAI's language at Azure's addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.families import openai
from tests.conformance.families.openai_requests import translate
from tests.conformance.family import Family
from tests.support.providers_replay import Exchange


def _mine(exchange: Exchange) -> bool:
    known = exchange.provider == "azure" and exchange.operation in openai.SUFFIXES
    return known and (not exchange.path or exchange.path.endswith(openai.SUFFIXES[exchange.operation]))


def _path(exchange: Exchange) -> str:
    """Some recorder's base URL had a slash too many."""
    return exchange.path.replace("//", "/")


def _base_path(exchange: Exchange) -> str:
    """What of it the account's URL has: with deployments only what stands before /openai."""
    root, openai_, _ = _path(exchange).partition("/openai/deployments/")
    return root if openai_ else _path(exchange).removesuffix(openai.SUFFIXES[exchange.operation]) or "/models"


def _version(exchange: Exchange) -> Mapping[str, str]:
    query = dict((exchange.line["request"] or {}).get("query") or ())
    return {"api_version": query["api-version"]} if query else {}


def _model(exchange: Exchange) -> str:
    """The deployment, where the path names one."""
    deployment = _path(exchange).partition("/openai/deployments/")[2].partition("/")[0]
    return deployment or (exchange.sent or {}).get("model") or "unknown"


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    version = _version(exchange).get("api_version")
    recorded = _path(exchange) + (f"?api-version={version}" if version else "")
    wrong = [] if path == recorded else [f"path: recorded {recorded}, ours {path}"]
    if "/deployments/" in path:  # which model it is, the path alone says
        sent = {**sent, "model": (exchange.sent or {}).get("model")}
    return wrong + openai.sent_misses(exchange, exchange.path, sent)


FAMILY = Family(
    name="azure",
    mine=_mine,
    wire=lambda _: "azure",
    operation=lambda exchange: openai.OPERATIONS[exchange.operation],
    account_type=lambda _: "azure",
    base_path=_base_path,
    model=_model,
    translate=lambda exchange: translate(exchange, "azure"),
    expected=openai.expected,
    sent_misses=_sent_misses,
    settings=_version,
)

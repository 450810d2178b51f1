"""What people are told of a fallback that worked: the same sentence in a reply, in GetCall and on the dashboard."""

from __future__ import annotations

from collections.abc import Iterable

_WORDS = {
    "connect_error": "not reachable",
    "connection_reset": "connection reset",
    "server_error": "server error",
    "rate_limited": "rate limited",
    "connect_timeout": "no connection in time",
    "ttft_timeout": "no first token in time",
    "response_timeout": "no answer in time",
    "stream_stalled": "stream stalled",
    "stream_cut": "stream cut",
    "garbled": "unreadable answer",
    "answer_too_large": "answer too large",
    "context_length": "context too long",
    "key_rejected": "key rejected",
    "model_not_found": "model not found",
    "PROVIDER_ERROR": "server error",
    "TTFT": "no first token in time",
    "STALL": "stream stalled or cut",
    "GARBLED": "unreadable answer",
    "CONTEXT_LENGTH": "context too long",
    "CIRCUIT_OPEN": "circuit open",
    "BUDGET": "budget reached",
}
_MOVING_SKIPS = frozenset({"CIRCUIT_OPEN", "BUDGET", "RATE_LIMITED", "KEY_REJECTED"})


def fallback_message(served_by: str, attempts: Iterable[tuple[str, str, str]], skips: Iterable[tuple[str, str]]) -> str:
    """One sentence about the first trouble of a call that fell back and was served.

    `attempts`: (provider, status, error_type) in order; `skips`: (provider, reason).
    """
    troubles = [(provider, error_type) for provider, status, error_type in attempts if status != "ok"]
    troubles += [(provider, reason) for provider, reason in skips if reason in _MOVING_SKIPS]
    if not troubles:
        return ""
    provider, trouble = troubles[0]
    return f"This provider is unavailable ({provider}: {words(trouble)}); routed to fallback {served_by}"


def words(trouble: str) -> str:
    """An error_type, a fallback_reason or a skip's reason, for people."""
    return _WORDS.get(trouble, trouble.replace("_", " ").lower())

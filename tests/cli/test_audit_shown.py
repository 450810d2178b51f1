"""What a line of the audit says changed."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from sidecar.commands.audit_shown import what_changed
from taximeter.v1.audit_pb2 import AuditEntry

WRITER = {
    "name": "writer",
    "targets": [{"provider": "openai", "model": "gpt-5.4"}, {"provider": "anthropic"}],
    "strategy": "ROUTING_STRATEGY_WEIGHTED",
}
OTHER = {**WRITER, "targets": [{"provider": "groq"}]}
ALIAS = {"workspace": "acme", "version": 1, "source": "workspace"}


def entry(before: dict[str, Any] | None, after: dict[str, Any] | None) -> AuditEntry:
    made = AuditEntry(subject="writer")
    for side, fields in ((made.before, before), (made.after, after)):
        if fields is not None:
            side.CopyFrom(Struct())
            side.update(fields)
    return made


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(None, {"label": "main", "enabled": True}, "label: main", id="made: what is not usual"),
        pytest.param({"label": "main"}, None, "", id="gone: nothing"),
        pytest.param({"enabled": True}, {"enabled": False}, "enabled: true -> false", id="changed: both"),
        pytest.param(
            {"limit_picodollars": 10**14, "limit_tokens": None},
            {"limit_picodollars": None, "limit_tokens": 5},
            "limit_usd: 100 -> -, limit_tokens: - -> 5",
            id="money in dollars",
        ),
        pytest.param({}, {"verified_ns": 1_795_259_394_928_506_350}, "verified: - -> 2026-11-21 11:09:54", id="times"),
        pytest.param(None, {"scopes": ["audio", "text"]}, "scopes: audio,text", id="lists"),
        pytest.param(None, {"label": "x" * 41}, f"label: {'x' * 37}...", id="long texts are cut"),
        pytest.param(
            None,
            {**ALIAS, "definition": WRITER},
            "chain: openai/gpt-5.4 → anthropic, strategy: weighted",
            id="an alias: its chain, and what else it says",
        ),
        pytest.param(
            {**ALIAS, "definition": WRITER},
            {**ALIAS, "definition": OTHER},
            "chain: openai/gpt-5.4 → anthropic -> groq",
            id="an alias: only what changed of it",
        ),
    ],
)
def test_a_change_is_told(before: dict[str, Any] | None, after: dict[str, Any] | None, said: str) -> None:
    assert what_changed(entry(before, after)) == said

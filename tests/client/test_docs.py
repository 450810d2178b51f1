"""docs/client.md: its snippets run in their order, against a real sidecar and bookkeeper."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from taximeter import errors
from tests.support import hostile as on
from tests.support.books import booked
from tests.support.hostile import hostile
from tests.support.stack import Stack, stack, until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(snippets: list[str], running: Stack) -> str:
    """What they print, one namespace for all. The ledger is up to date before each."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, snippet in enumerate(snippets):
            booked(running)
            if "client" in names:
                until(lambda: ledger_answers(names["client"]), "the sidecar finds the bookkeeper", 5)
            exec(compile(snippet, f"client.md, snippet {number + 1}", "exec"), names)
    names["client"].close()
    return printed.getvalue()


def ledger_answers(client: Any) -> bool:
    try:
        client.usage()
    except errors.LedgerUnavailable:
        return False
    return True


async def test_snippets(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hostile(on.answer("It meters taxis.")) as provider:
        with stack(
            AI_OPENAI_URL=provider.base_url, AI_OPENAI_KEY="sk-documented", AI_OPENAI_SMART="m", AI_OPENAI_FAST="m"
        ) as running:
            running.bookkeeper()
            running.sidecar()
            monkeypatch.setenv("TAXIMETER_ADDRESS", running.address)
            printed = await asyncio.to_thread(run, SNIPPETS, running)
            rows = booked(running)
    assert len(SNIPPETS) >= 10
    assert "It meters taxis. stop" in printed
    assert "Did you mean 'smart'?" in printed
    assert "openai m 3 30 15" in printed
    assert [row["status"] for row in rows].count("refused") == 1
    assert {row["status"] for row in rows} == {"ok", "refused"}
    assert dict(rows[1]["tags"]) == {"team": "growth", "feature": "quiz"}

"""One name a model, whoever writes it: a bill names snapshots, a console display names, an aggregator prefixes."""

from __future__ import annotations

import re

_SNAPSHOT = re.compile(r"-(20\d{2}-\d{2}-\d{2}|20\d{6}|latest)$")
_OLD_SNAPSHOT = re.compile(r"^(gpt-(?:3\.5|4)(?:-[a-z]+)*)-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")
"""gpt-4-0613, gpt-3.5-turbo-0125: month and day."""
_CLAUDE = re.compile(r"opus|sonnet|haiku|instant")


def plain(model: str) -> str:
    """The model without vendor, snapshot and variant: "openai/gpt-4o-2024-08-06" and "GPT-4o" are gpt-4o,
    "claude-3-5-haiku-20241022" and "Claude Haiku 3.5" are claude-haiku-3-5. "" stays ""."""
    name = model.strip().lower().rpartition("/")[2].partition(":")[0]
    name = re.sub(r"[\s_]+", "-", name)
    name = _SNAPSHOT.sub("", name)
    if name.startswith("claude") and (family := _CLAUDE.search(name)):
        return "-".join(["claude", family[0], *re.findall(r"\d+", name)])
    old = _OLD_SNAPSHOT.match(name)
    return old[1] if old else name

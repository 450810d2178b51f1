"""`sidecar/data/aliases.toml`: the named tasks and chains that are there before anything is configured."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from sidecar.settings.rows import DATA


@cache
def built_in() -> Mapping[str, Any]:
    """follows: task -> pool; chains: alias -> places."""
    return tomllib.loads((DATA / "aliases.toml").read_text(encoding="utf-8"))


def followers() -> Mapping[str, str]:
    """Named task -> the pool that it follows while it has no chain of its own."""
    follows: Mapping[str, str] = built_in()["follows"]
    return follows


def pool_of(alias: str) -> str:
    """The slot whose default models serve an alias: "image", "fast" or "smart"."""
    return alias if alias in ("fast", "image") else followers().get(alias, "smart")

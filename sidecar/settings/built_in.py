"""`sidecar/data/aliases.toml`: the aliases that are there unconfigured, and what is known of model ids."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sidecar.core.aliases import OPERATION_OF
from sidecar.core.call import Capability, Operation
from sidecar.core.control import AliasVersion
from sidecar.settings.rows import DATA

MADE_WITH_WORKSPACE = "default"
"""Source of the aliases that a new workspace finds."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A model id that its provider has ended, or said when it will."""

    model: str
    ends: date
    successor: str
    for_some: bool = False
    """Some customers keep it."""

    def __str__(self) -> str:
        whom = " for most customers" if self.for_some else ""
        return f"{self.model} ends on {self.ends}{whom}: {self.successor} takes its place"


@cache
def built_in() -> Mapping[str, Any]:
    """follows: task -> pool; chains: alias -> its definition; later: provider -> its name; retired: provider -> ids."""
    return tomllib.loads((DATA / "aliases.toml").read_text(encoding="utf-8"))


def followers() -> Mapping[str, str]:
    """Named task -> the pool that it follows while it has no chain of its own."""
    follows: Mapping[str, str] = built_in()["follows"]
    return follows


def pool_of(alias: str) -> str:
    """The slot whose default models serve an alias: "image", "fast" or "smart"."""
    return alias if alias in ("fast", "image") else followers().get(alias, "smart")


def chain_operation(alias: str) -> Operation:
    """What a built-in chain is for."""
    chain = built_in()["chains"][alias]
    return OPERATION_OF[Capability(chain["capability"])] if "capability" in chain else Operation.SPEECH_TRANSCRIBE


def later() -> Mapping[str, str]:
    """Name -> display name of the providers whose operations are not served yet."""
    names: Mapping[str, str] = built_in()["later"]
    return names


def retired(provider: str, model: str) -> Retired | None:
    """`provider`: type of the account."""
    found = built_in()["retired"].get(provider, {}).get(model)
    return None if found is None else Retired(model, **found)


def default_aliases(workspace: str, now_ns: int, created_by: str = "") -> list[AliasVersion]:
    """What a new workspace finds: version 1 of aliases of its own, to be changed as it likes."""
    return [
        AliasVersion(workspace, name, 1, _definition(name, chain), now_ns, created_by, MADE_WITH_WORKSPACE)
        for name, chain in built_in()["chains"].items()
    ]


def _definition(name: str, chain: Mapping[str, Any]) -> Mapping[str, object]:
    """taximeter.v1.AliasDefinition as JSON."""
    made: dict[str, object] = {
        "name": name,
        "display_name": chain["display_name"],
        "modality": f"MODALITY_{chain['modality'].upper()}",
        "targets": [{"provider": place["provider"], "model": place["model"]} for place in chain["targets"]],
    }
    if "capability" in chain:
        made["capability"] = f"CAPABILITY_{chain['capability'].upper()}"
    return made

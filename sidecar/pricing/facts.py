"""What data/models.toml knows of models: which ones reason before they answer, and how much they may write."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from sidecar.core.catalog import ModelFacts


@dataclass(frozen=True)
class Facts:
    """Patterns over the model's name without its publisher ("openai/o3" is "o3"), lower case."""

    reasoning: tuple[str, ...]
    not_reasoning: tuple[str, ...]
    """Exceptions to `reasoning`."""
    max_output: tuple[tuple[str, int], ...]

    def of(self, model: str, context_tokens: int) -> ModelFacts:
        reasoning, max_output = _match(self, model.lower().rpartition("/")[2])
        return ModelFacts(context_tokens, reasoning, max_output)


@lru_cache(4096)
def _match(facts: Facts, name: str) -> tuple[bool, int]:
    def any_of(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    limit = next((tokens for pattern, tokens in facts.max_output if fnmatchcase(name, pattern)), 0)
    return any_of(facts.reasoning) and not any_of(facts.not_reasoning), limit


@lru_cache(1)
def read(path: Path) -> Facts:
    data = tomllib.loads(path.read_text())
    return Facts(
        reasoning=tuple(data["reasoning"]["models"]),
        not_reasoning=tuple(data["reasoning"]["except"]),
        max_output=tuple(data["max_output_tokens"].items()),
    )

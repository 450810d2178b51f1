"""All families, and which one an exchange belongs to."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.families import anthropic, azure, bedrock, cohere, gemini, ollama, openai, replicate, responses
from tests.conformance.family import Family
from tests.support.providers_replay import Exchange, load

FAMILIES: tuple[Family, ...] = (
    anthropic.FAMILY,
    openai.FAMILY,
    cohere.FAMILY,
    gemini.FAMILY,
    ollama.FAMILY,
    responses.FAMILY,
    replicate.FAMILY,
    bedrock.FAMILY,
    azure.FAMILY,
)


def family_of(exchange: Exchange) -> Family:
    """Raises StopIteration for an exchange of no family."""
    return next(family for family in FAMILIES if family.mine(exchange))


def chosen(folder: Path) -> dict[str, Exchange]:
    """The recorded exchanges that some family can ask again, by id."""
    return {each.id: each for each in load(folder) if any(family.mine(each) for family in FAMILIES)}

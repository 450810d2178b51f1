"""What can be said of an alias: what it is for, what stands in its way, who would make it work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sidecar.core.call import Capability, Operation
from sidecar.core.catalog import Account, Alias

ALIAS_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
ALIAS_NAME_RULE = "an alias is named by a-z, 0-9, '-', '.' and '_', at most 64 of them"
OPERATION_OF = {
    Capability.TEXT_GENERATION: Operation.CHAT,
    Capability.CHAT: Operation.CHAT,
    Capability.CODE_GENERATION: Operation.CHAT,
    Capability.TRANSLATION: Operation.CHAT,
    Capability.SUMMARIZATION: Operation.CHAT,
    Capability.EMBEDDING: Operation.EMBEDDING,
    Capability.IMAGE_GENERATION: Operation.IMAGE_GENERATE,
    Capability.AUDIO_GENERATION: Operation.SPEECH_SYNTHESIZE,
    Capability.VIDEO_GENERATION: Operation.VIDEO_GENERATE,
    Capability.MODERATION: Operation.MODERATION,
}
"""What a call for the capability asks for, where it does not say."""
OFFERS: Mapping[Operation, str] = {
    Operation.CHAT: "chat",
    Operation.COMPLETION: "text completion",
    Operation.EMBEDDING: "embeddings",
    Operation.MODERATION: "moderation",
    Operation.IMAGE_GENERATE: "image generation",
    Operation.IMAGE_EDIT: "image editing",
    Operation.IMAGE_VARIATION: "image variations",
    Operation.SPEECH_TRANSCRIBE: "speech transcription",
    Operation.SPEECH_SYNTHESIZE: "speech synthesis",
    Operation.VIDEO_GENERATE: "video generation",
    Operation.VIDEO_EDIT: "video editing",
    Operation.VIDEO_CAPTION: "video captions",
}
"""An operation in the words of a refusal."""


def obstacle(account: Account, operation: Operation | None) -> str:
    """Why an account cannot serve an operation (None: any), in the words of a refusal; empty if it can."""
    if operation is not None and account.operations and operation not in account.operations:
        if operation is Operation.IMAGE_GENERATE and Capability.IMAGE_GENERATION in account.capabilities:
            return "image generation is not available in this version"
        return f"{account.display or account.name} does not offer {OFFERS.get(operation, operation)}"
    return account.unusable or ("" if account.enabled else f"{account.name} is disabled")


def hinted(alias: Alias, accounts: Mapping[str, Account]) -> Alias:
    """With the providers that would serve it if they had a key; and if nothing can serve it, why."""
    names = [route.target.provider for route in alias.routes]
    of = [accounts[name] for name in names if name in accounts]
    hints = tuple(dict.fromkeys(account.type for account in of if account.needs_key and not account.keys))
    obstacles = [obstacle(account, alias.operation) for account in of]
    obstacles += [f"{name} is not available in this version" for name in names if name not in accounts]
    unusable = "; ".join(dict.fromkeys(obstacles)) if all(obstacles) else ""
    if (hints, unusable) == (alias.key_hints, alias.unusable):
        return alias
    return replace(alias, key_hints=hints, unusable=unusable)

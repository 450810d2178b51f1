"""How a server's OpenAI wire differs from OpenAI's own: the `options` of its row in providers.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sidecar.core.catalog import Account

THINKING_PART = "thinking_part"
DOCUMENT_URL = "document_url"
COMPLETIONS = "/completions"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The defaults suit a server that we know nothing of."""

    max_tokens: str = "max_tokens"
    """Field that limits a chat answer."""
    reasoning: str = "reasoning_content"
    """Field in which an assistant's reasoning is given back; "thinking_part" = as a content part (Mistral);
    empty = the server refuses it, so it is left out."""
    developer_role: bool = False
    """It knows the role "developer"; if not, such a message goes as "system"."""
    stream_usage: bool = True
    """It takes `stream_options`; if not, it reports a stream's usage unasked."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Our name of a field -> the server's."""
    unsupported: tuple[str, ...] = ()
    """Fields it answers with an error."""
    file_part: str = "file"
    """How a file stands in a message: OpenAI's "file", or "document_url" (Mistral), which takes URLs too."""
    prefix: bool = False
    """A last message of the assistant, which the answer is to continue, must say so by `prefix` (Mistral)."""
    completion_path: str = COMPLETIONS
    """Mistral's "/fim/completions" takes one prompt, and answers in messages."""
    conversation_moderation_path: str = ""
    """Where conversations are judged; empty = nowhere."""
    options_as: str = ""
    """A further name under which `provider_options` are meant for it."""
    encrypted_reasoning: Sequence[str] = ()
    """Patterns of the models whose reasoning the Responses API gives encrypted; "!" before one that does not."""
    levels: Sequence[str] = ()
    """Names that are no models but levels of effort, which choose the model (Perplexity)."""


_NAMES = frozenset(each.name for each in fields(Dialect))


def dialect_of(account: Account) -> Dialect:
    """From the account's options; what is not about the dialect is passed over."""
    known: dict[str, Any] = {name: value for name, value in account.options.items() if name in _NAMES}
    return Dialect(**known)

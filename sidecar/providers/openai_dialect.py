"""How a server's OpenAI wire differs from OpenAI's own: the `options` of its row in providers.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import lru_cache
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
    reasoning_budget: str = ""
    """Field that limits the tokens to reason with, "a.b" for b within a; empty = there is none."""
    reasoning_off: Mapping[str, Any] = field(default_factory=dict)
    """Fields by which a model does not reason at all; empty = none are documented."""
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
    cache_control: bool = False
    """Its content parts can end what is to be cached, as Anthropic's can; if not, it caches by itself."""
    input_type: str = ""
    """Field that says what vectors are for; empty = it does not ask."""
    prefix: bool = False
    """A last message of the assistant, which the answer is to continue, must say so by `prefix` (Mistral)."""
    completion_path: str = COMPLETIONS
    """Mistral's "/fim/completions" takes one prompt, and answers in messages."""
    conversation_moderation_path: str = ""
    """Where conversations are judged; empty = nowhere."""
    options_as: str = ""
    """A further name under which `provider_options` are meant for it."""
    keep_nothing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Operation -> fields by which it keeps nothing; empty = it keeps nothing by itself, or cannot be asked."""
    encrypted_reasoning: Sequence[str] = ()
    """Patterns of the models whose reasoning the Responses API gives encrypted; "!" before one that does not."""
    levels: Sequence[str] = ()
    """Names that are no models but levels of effort, which choose the model (Perplexity)."""

    def reasons(self, model: str) -> bool:
        """Whether the model is known to reason; of a server whose row does not say, none is."""
        return _matches(model, tuple(self.encrypted_reasoning))

    def never_reasons(self, model: str, account: Account) -> bool:
        """Whether it is known not to. What a deployment is called says nothing of its model."""
        return bool(self.encrypted_reasoning) and not account.deployments and not self.reasons(model)


_NAMES = frozenset(each.name for each in fields(Dialect))


def dialect_of(account: Account) -> Dialect:
    """From the account's options; what is not about the dialect is passed over."""
    known: dict[str, Any] = {name: value for name, value in account.options.items() if name in _NAMES}
    return Dialect(**known)


@lru_cache(1024)
def _matches(model: str, patterns: tuple[str, ...]) -> bool:
    """The name after its last "/" fits a pattern, and none that begins with "!"."""
    name = model.rpartition("/")[2].lower()
    if any(fnmatchcase(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(fnmatchcase(name, pattern) for pattern in patterns)

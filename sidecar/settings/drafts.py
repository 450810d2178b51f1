"""Accounts in the making: the best value of each field so far, whichever source it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sidecar.core.call import Capability
from sidecar.settings.rows import GENERIC, SPELLINGS, Row, Rows, account_type
from sidecar.settings.sources import Value

SLOTS = ("smart", "fast", "embedding", "moderation", "completion", "image")
_NEEDS = {
    "embedding": Capability.EMBEDDING,
    "moderation": Capability.MODERATION,
    "image": Capability.IMAGE_GENERATION,
}
"""Slot -> what a provider must be able to do; the others are text."""
_TEXT = frozenset(
    {
        Capability.TEXT_GENERATION,
        Capability.CHAT,
        Capability.CODE_GENERATION,
        Capability.TRANSLATION,
        Capability.SUMMARIZATION,
    }
)


def account_name(written: str) -> str:
    """ "MY_LLM", "my_llm" and "my-llm" are one name."""
    return written.strip().lower().strip("_").replace("_", "-")


@dataclass(slots=True)
class Draft:
    """Fields: url key enabled weight api_version api default_model capabilities self_hosted, timeouts.*, limits.*, and
    the slots."""

    name: str
    row: Row
    values: dict[str, Value] = field(default_factory=dict)
    key_variable: str = ""
    """The variable that a file names for the key."""
    declared: bool = False
    """Configured for the pools smart and fast, not only by a vendor's bare key."""
    asked_for: bool = False
    """A task or an alias of the configuration names it: a server on this machine needs no more than that."""
    named_models: frozenset[str] = frozenset()
    """Slots for which a vendor's variable (SMART_LLM) names a model: no longer bare there."""

    def offer(self, name: str, value: Value | None) -> None:
        """Takes a value of lower precedence than all before."""
        if value is not None:
            self.values.setdefault(name, value)

    def model(self, slot: str) -> str:
        """The configured model of a slot, else the provider's default, else ""."""
        if slot in self.values:
            return self.values[slot].text
        default = self.values["default_model"].text if "default_model" in self.values else ""
        listed = self._listed()
        if default and slot in ("smart", "fast") and (not listed or listed & _TEXT):
            return default
        return self.row.models.get(slot, default if _NEEDS.get(slot) in listed else "")

    def offers(self, slot: str) -> bool:
        """Whether the provider has anything for a slot; one that no row knows is believed to."""
        needed = _NEEDS.get(slot, Capability.CHAT)
        return self.row.type == GENERIC or needed in self.row.capabilities or needed in self._listed()

    def _listed(self) -> frozenset[str]:
        raw = self.values["capabilities"].raw if "capabilities" in self.values else ()
        return frozenset(map(str, raw)) if isinstance(raw, (list, tuple)) else frozenset()

    @property
    def configured(self) -> bool:
        """Anything at all was said about it."""
        return bool(self.values)


@dataclass(slots=True)
class Drafts:
    """All accounts in the making, in the order in which they were first met."""

    rows: Rows
    types: Mapping[str, str] = field(default_factory=dict)
    """Account -> row ("" = by its name), of the accounts that files describe."""
    key_variables: Mapping[str, str] = field(default_factory=dict)
    """Account -> the variable that a file names for its key."""
    by_name: dict[str, Draft] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Draft]:
        return iter(self.by_name.values())

    def spelled(self, name: str) -> str:
        """An account's one name: "google" is "gemini" unless a file has an account of that name."""
        name = account_name(name)
        return name if name in self.types else SPELLINGS.get(name, name)

    def type_of(self, name: str) -> str:
        """The row of an account, "" if it has none of its own."""
        return self.types.get(name, "") or account_type(name, self.rows)

    def knows(self, name: str) -> bool:
        return name in self.types or bool(account_type(name, self.rows))

    def draft(self, name: str) -> Draft:
        """The account of this name, begun if it is new."""
        name = self.spelled(name)
        if name not in self.by_name:
            self.by_name[name] = Draft(name, self.rows[self.type_of(name) or GENERIC])
        return self.by_name[name]

    def named(self, name: str) -> list[Draft]:
        """Whom a provider's name means: that account, else all accounts of that type, else the bare row; or nobody."""
        name = self.spelled(name)
        if name in self.by_name and self.by_name[name].configured:
            return [self.by_name[name]]
        if same_type := [draft for draft in self if draft.row.type == name and draft.configured]:
            return same_type
        return [self.draft(name)] if name in self.rows else []

    def names(self) -> Iterable[str]:
        return dict.fromkeys((*self.by_name, *self.rows))

"""Keys that a provider has rejected: put aside for a while."""

from __future__ import annotations

from dataclasses import dataclass

KEY_ASIDE_S = 60.0
"""A rejected key is tried again after this: it may have been allowed meanwhile."""
REMEMBERED_S = 3600.0
"""How long it is remembered that a probe was wrong about a key."""


@dataclass(slots=True)
class _Aside:
    until: float
    lifted: bool = False
    """A probe has said that the key is good again."""
    stubborn: bool = False
    """A probe said so once before, and the provider then rejected a call: probes are not believed this time."""


class KeysAside:
    """By key id. Times are monotonic seconds, `now` is handed in."""

    def __init__(self) -> None:
        self._asides: dict[str, _Aside] = {}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._asides

    def aside(self, key_id: str, now: float) -> bool:
        found = self._asides.get(key_id)
        return found is not None and found.until > now

    def reject(self, key_id: str, now: float, scale: float) -> None:
        """A call was answered 401 or 403."""
        self._asides = {
            known: aside for known, aside in self._asides.items() if aside.until + REMEMBERED_S * scale > now
        }
        before = self._asides.get(key_id)
        misled = before is not None and (before.lifted or (before.stubborn and before.until > now))
        self._asides[key_id] = _Aside(now + KEY_ASIDE_S * scale, stubborn=misled)

    def accept(self, key_id: str, now: float) -> bool:
        """A probe was answered with this key. Says whether that lifts its being aside."""
        found = self._asides.get(key_id)
        if found is None or found.stubborn or found.until <= now:
            return False
        found.until, found.lifted = now, True
        return True

    def forget(self, key_id: str) -> None:
        """Another secret goes by this id now."""
        self._asides.pop(key_id, None)

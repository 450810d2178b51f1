"""Every remembered request, by key: about 70 bytes each, and never a moment in which a large table is built anew.

Entries stand one behind the other in pages, as they stand on disk. A page has room for a sixteenth of all, an index
of fixed size, and is forgotten whole: once it is full of the oldest, or its newest entry is too old.
"""

from __future__ import annotations

from array import array
from collections import deque

from sidecar.requests.keys import KEY_BYTES
from sidecar.requests.past import ENTRY_BYTES, Past, read

PAGES = 16


class Table:
    """Loop-atomic."""

    def __init__(self, most: int, keep_ms: int) -> None:
        """`most`: entries; the oldest page goes when there would be more."""
        self._page_entries = max(-(-most // PAGES), 1)
        self._pages_most = max(most // self._page_entries, 1)
        self._keep_ms = keep_ms
        self._pages: deque[_Page] = deque()

    def __len__(self) -> int:
        return sum(page.count for page in self._pages)

    @property
    def size_bytes(self) -> int:
        return sum(page.size_bytes for page in self._pages)

    def find(self, key: bytes, now_ms: int) -> Past | None:
        """The newest of the key, unless it is too old."""
        for page in reversed(self._pages):
            if (found := page.find(key)) is not None:
                return found if found.ended_ms > now_ms - self._keep_ms else None
        return None

    def add(self, past: Past, entry: bytes, now_ms: int) -> bool:
        """`entry` is the past's. False if entries that were young enough had to be forgotten for it."""
        self._forget_old(now_ms)
        kept_all = True
        if not self._pages or self._pages[-1].count == self._page_entries:
            if len(self._pages) == self._pages_most:
                self._pages.popleft()
                kept_all = False
            self._pages.append(_Page(self._page_entries))
        self._pages[-1].add(past, entry)
        return kept_all

    def _forget_old(self, now_ms: int) -> None:
        while self._pages and self._pages[0].newest_ms <= now_ms - self._keep_ms:
            self._pages.popleft()


class _Page:
    """Open addressing with linear probing: a slot holds an entry's number, from 1; at most half of them are taken."""

    def __init__(self, room: int) -> None:
        self.count = 0
        self.newest_ms = 0
        self._entries = bytearray()
        self._mask = (1 << (2 * room - 1).bit_length()) - 1
        self._slots = array("I", bytes(4 * (self._mask + 1)))

    @property
    def size_bytes(self) -> int:
        return self._entries.__sizeof__() + self._slots.__sizeof__()

    def find(self, key: bytes) -> Past | None:
        """The newest of the key."""
        found = None
        slot = hash(key) & self._mask  # salted a process: nobody can choose ids that crowd one place
        while number := self._slots[slot]:
            start = (number - 1) * ENTRY_BYTES
            if self._entries[start : start + KEY_BYTES] == key:
                found = start
            slot = (slot + 1) & self._mask
        return None if found is None else read(self._entries, found)

    def add(self, past: Past, entry: bytes) -> None:
        self.count += 1
        self.newest_ms = max(self.newest_ms, past.ended_ms)
        self._entries += entry
        slot = hash(past.key) & self._mask
        while self._slots[slot]:
            slot = (slot + 1) & self._mask
        self._slots[slot] = self.count

"""What the Messages API reports of usage (platform.claude.com/docs/en/api/messages/create#message.usage).

- Cached tokens stand beside `input_tokens`, not within: all input is the sum of the three ("Total input tokens in a
  request is the summation of …"). Who gives that sum says what its parts are: one that is not told is zero.
  `cache_creation` says which of the writes were for 5 minutes and which for an hour, at 1.25 and 2 times the input's
  price (.../build-with-claude/prompt-caching#pricing).
- `output_tokens` includes thinking; `output_tokens_details.thinking_tokens` says how much of it.
- Where the server summed up an overlong conversation first, that work is not in the counts at the top, though it is
  billed: it stands in `iterations`, as "compaction" (.../build-with-claude/compaction). An advisor's tokens stand there
  too, but are another model's: they are told in `provider_metadata`, not metered.
- Streams: `message_start` has the input and a first, provisional count of output; every `message_delta` has totals so
  far ("cumulative"), input included once server tools have run. Some servers leave zeros in the first and say the rest
  in the last. So: the larger of two, and no output before a `message_delta` has told it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count, object_of, objects

COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_KEPT = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
METERED = frozenset({*COUNTS, "output_tokens_details"})


def usage_of(raw: Any) -> Usage | None:
    """None if `raw` is not a usage object or counts nothing that we know."""
    if not isinstance(raw, dict):
        return None
    counts = [raw, *(each for each in objects(raw.get("iterations")) if each.get("type") == "compaction")]
    uncached, written, read, output = (_sum(name, counts) for name in COUNTS)
    if uncached is not None:
        written, read = written or 0, read or 0
    details = raw.get("output_tokens_details")
    usage = Usage(
        input=None if uncached is None else uncached + (written or 0) + (read or 0),
        cache_read=read,
        cache_write=written,
        cache_write_1h=_sum(_KEPT[1], [object_of(each, "cache_creation") for each in counts]),
        output=output,
        reasoning=count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
    )
    return None if usage == Usage() else usage


def merged(before: Mapping[str, Any], report: Any) -> dict[str, Any]:
    """What a stream has reported so far. Counts only grow; what is null says nothing."""
    if not isinstance(report, dict):
        return dict(before)
    found = {**before, **{name: value for name, value in report.items() if value is not None}}
    found |= _larger(COUNTS, before, report)
    if kept := _larger(_KEPT, object_of(before, "cache_creation"), object_of(report, "cache_creation")):
        found["cache_creation"] = kept
    return found


def _larger(names: Sequence[str], before: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, int]:
    """Of each count that is known the larger."""
    pairs = ((name, (count(before.get(name)), count(report.get(name)))) for name in names)
    return {name: max(known) for name, pair in pairs if (known := [each for each in pair if each is not None])}


def _sum(name: str, counts: list[dict[str, Any]]) -> int | None:
    known = [number for each in counts if (number := count(each.get(name))) is not None]
    return count(sum(known)) if known else None

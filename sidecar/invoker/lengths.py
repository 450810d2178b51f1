"""How long the answers that a call asks for may be, and how many of them there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Call, CallRecord, Operation
from taximeter.v1 import payload_pb2

_ANSWERS = (Operation.CHAT, Operation.COMPLETION)
"""Operations whose answer is counted in tokens."""
_LIMITS = frozenset(
    ("maxtokens", "maxcompletiontokens", "maxoutputtokens", "maxnewtokens", "maxtokenstosample", "numpredict")
)
_COUNTS = frozenset({"n", "bestof", "candidatecount", "numgenerations"})
"""What providers call `max_tokens` and `choice_count` in their own options, without underscores and capitals."""
_DEEPEST = 2
"""Gemini's are in `generationConfig`, Bedrock's in `inferenceConfig`, Ollama's in `options`."""
_MOST_TOKENS, _MOST_CHOICES = 2**31 - 1, 1024


class Lengths(NamedTuple):
    tokens: int | None
    """Of each answer; None: the model's own limit."""
    choices: int = 1
    options_tokens: int = 0
    """A provider's own options go before our fields, so an answer may be that long as well."""

    def longest(self, most_output_tokens: int, granted: int | None = None) -> int:
        """Tokens of one answer. `most_output_tokens`: the model's; `granted`: by budgets, None: all."""
        asked = max(most_output_tokens if self.tokens is None else self.tokens, self.options_tokens)
        return asked if granted is None else min(asked, granted)


NO_ANSWER = Lengths(0)


def lengths_of(call: Call) -> Lengths:
    """Each prompt of a completion has its own answers, of which the best are given and all are billed."""
    if call.operation not in _ANSWERS:
        return NO_ANSWER
    tokens, choices, prompts = call.parameters.max_tokens, call.parameters.choice_count or 1, 1
    payload, options_tokens = call.payload, 0
    if isinstance(payload, payload_pb2.CompletionRequest):
        choices, prompts = max(choices, payload.best_of), 1 + len(payload.more_prompts)
    if payload is not None and payload.HasField("provider_options"):
        for name, value in _numbers(payload.provider_options):
            if _plain(name) in _COUNTS:
                choices = max(choices, min(value, _MOST_CHOICES))
            elif value > 0:
                options_tokens = max(options_tokens, min(value, _MOST_TOKENS))
            else:  # Ollama's -1: no limit
                tokens = None
    return Lengths(tokens, choices * prompts, options_tokens)


def lengths_recorded(record: CallRecord) -> Lengths:
    """As far as a record tells."""
    if record.operation not in _ANSWERS:
        return NO_ANSWER
    return Lengths(record.parameters.max_tokens, record.parameters.choice_count or 1)


def without_limits(options: Struct) -> None:
    """Takes the limits out of providers' own options, so that those of our fields hold."""
    for struct in _structs(options):
        for name in [name for name in struct.fields if _plain(name) in _LIMITS]:
            del struct.fields[name]


def _numbers(options: Struct) -> Iterator[tuple[str, int]]:
    for struct in _structs(options):
        for name, value in struct.fields.items():
            if value.HasField("number_value") and _plain(name) in _LIMITS | _COUNTS:
                yield name, int(value.number_value)


def _structs(options: Struct, deep: int = 0) -> Iterator[Struct]:
    """What is said to each provider, and the structs in that."""
    for value in options.fields.values():
        if value.HasField("struct_value"):
            yield value.struct_value
            if deep + 1 < _DEEPEST:
                yield from _structs(value.struct_value, deep + 1)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()

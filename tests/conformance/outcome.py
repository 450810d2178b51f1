"""What a call came to, in a form that a recording and our answer can both be put into."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from taximeter.v1 import invocation_pb2, payload_pb2
from tests.support.providers_replay import Exchange


@dataclass
class Choice:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[list[str]] = field(default_factory=list)
    """[id, name, arguments] each."""
    finish: str = ""


@dataclass
class Outcome:
    choices: list[Choice] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)
    """Named as the recordings name it: input, cached, output, ..."""
    vectors: list[list[float]] = field(default_factory=list)
    scores: list[dict[str, tuple[bool, float]]] = field(default_factory=list)
    model: str = ""
    error: tuple[int, str, str] | None = None
    """(HTTP status as answered or as the event says, our kind of fault, the provider's words)."""


def misses(expected: Outcome, found: Outcome) -> list[str]:
    """What is not as recorded, one line each, beginning with an aspect's name."""
    before, ours = _aspects(expected), _aspects(found)
    wrong = [
        f"{name}: recorded {before[name]!r:.200}, ours {ours[name]!r:.200}"
        for name in before
        if before[name] != ours[name] and name != "usage"
    ]
    more = found.usage.keys() - expected.usage.keys()
    if expected.usage != {name: found.usage[name] for name in found.usage.keys() - more}:
        return [*wrong, f"usage: recorded {expected.usage}, ours {found.usage}"]
    return wrong + [f"usage: recorded without `{name}`, ours with" for name in sorted(more)]


def _aspects(outcome: Outcome) -> dict[str, Any]:
    said = outcome.choices
    return {
        "text": [(choice.text, choice.refusal) for choice in said],
        "reasoning": [choice.reasoning for choice in said],
        "tool calls": [choice.calls for choice in said],
        "finish": [choice.finish for choice in said],
        "usage": outcome.usage,
        "vectors": outcome.vectors,
        "scores": outcome.scores,
        "model": outcome.model,
        "error": outcome.error,
    }


# --- ours ---------------------------------------------------------------------


def of_payload(payload: Any) -> Outcome:
    outcome = Outcome(model=payload.model)
    match payload:
        case payload_pb2.ChatResponse():
            outcome.choices = [
                Choice(
                    said.message.text,
                    said.message.reasoning,
                    said.message.refusal,
                    [[call.id, call.name, call.arguments] for call in said.message.tool_calls],
                    said.finish_reason,
                )
                for said in payload.choices
            ]
        case payload_pb2.CompletionResponse():
            outcome.choices = [Choice(text=said.text, finish=said.finish_reason) for said in payload.choices]
        case payload_pb2.EmbeddingResponse():
            outcome.vectors = [list(each.values) for each in payload.embeddings]
        case payload_pb2.ModerationResponse():
            outcome.scores = [
                {score.category: (score.flagged, score.score) for score in result.scores} for result in payload.results
            ]
    return outcome


def of_parts(parts: list[Any], finishes: tuple[str, ...], model: str) -> Outcome:
    """A stream's Delta and ToolCallDelta messages, put together as a caller would."""
    choices = [Choice(finish=finish) for finish in finishes]
    for part in parts:
        choice = choices[part.choice_index]
        if isinstance(part, invocation_pb2.Delta):
            choice.text += part.text
            choice.reasoning += part.reasoning
            choice.refusal += part.refusal
            continue
        if part.tool_index == len(choice.calls):
            choice.calls.append(["", "", ""])
        call = choice.calls[part.tool_index]
        choice.calls[part.tool_index] = [call[0] + part.id, call[1] + part.name, call[2] + part.arguments]
    return Outcome(choices=choices, model=model)


def recorded_usage(exchange: Exchange) -> dict[str, float]:
    names = ("input", "cached", "cache_write", "output", "reasoning", "audio_in", "audio_out", "seconds")
    return {name: exchange.usage[name] for name in names if name in exchange.usage}


def rounded(outcome: Outcome) -> Outcome:
    """Vectors to what a float32 keeps."""
    return replace(outcome, vectors=[[round(value, 6) for value in vector] for vector in outcome.vectors])

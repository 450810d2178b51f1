"""What a call came to, in a form that a recording and our answer can both be put into."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
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
    """What is not as recorded, one line each."""
    return [
        f"{each.name}: recorded {getattr(expected, each.name)!r:.200}, ours {getattr(found, each.name)!r:.200}"
        for each in fields(Outcome)
        if getattr(expected, each.name) != getattr(found, each.name)
    ]


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


# --- as recorded: read without any help from the codec --------------------------


def recorded_usage(exchange: Exchange) -> dict[str, float]:
    names = ("input", "cached", "cache_write", "output", "reasoning", "audio_in", "audio_out", "seconds")
    return {name: exchange.usage[name] for name in names if name in exchange.usage}


def recorded(exchange: Exchange, chunks: list[dict[str, Any]]) -> Outcome:
    """`chunks`: the events of a stream, or the one body."""
    outcome = Outcome(usage=recorded_usage(exchange))
    for chunk in chunks:
        outcome.model = outcome.model or chunk.get("model") or ""
        for place, said in enumerate(chunk.get("choices") or []):
            _add(outcome.choices, said.get("index", place), said, exchange.stream)
        for entry in chunk.get("data") or []:
            outcome.vectors.append(entry["embedding"])
        for result in chunk.get("results") or []:
            scores = result["category_scores"]
            outcome.scores.append({name: (result["categories"][name], score) for name, score in scores.items()})
    return outcome


def _add(choices: list[Choice], index: int, said: dict[str, Any], stream: bool) -> None:
    while len(choices) <= index:
        choices.append(Choice())
    choice, message = choices[index], said.get("delta" if stream else "message") or {}
    choice.finish = said.get("finish_reason") or choice.finish
    choice.text += said.get("text") or ""
    content = message.get("content") or ""
    parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for part in parts:
        if part["type"] == "thinking":
            choice.reasoning += "".join(each["text"] for each in part["thinking"])
        else:
            choice.text += part.get("text", "")
    choice.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    choice.refusal += message.get("refusal") or ""
    calls = message.get("tool_calls") or []
    if (old := message.get("function_call")) and (old.get("name") or old.get("arguments")):
        calls = [{"index": 0, "function": old}]
    for place, call in enumerate(calls):
        number = call.get("index", place) if stream else place
        while len(choice.calls) <= number:
            choice.calls.append(["", "", ""])
        before, function = choice.calls[number], call["function"]
        choice.calls[number] = [
            before[0] or call.get("id") or "",
            before[1] or function.get("name") or "",
            before[2] + (function.get("arguments") or ""),
        ]


def rounded(outcome: Outcome) -> Outcome:
    """Vectors to what a float32 keeps."""
    return replace(outcome, vectors=[[round(value, 6) for value in vector] for vector in outcome.vectors])

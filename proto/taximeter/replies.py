"""Answers, as the clients give them. The protobuf they are drawn from is always beside them."""

from __future__ import annotations

from dataclasses import dataclass

from taximeter.errors import StreamRestarted
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from taximeter.v1.metering_pb2 import Metering

Event = pb.Started | pb.Delta | pb.ToolCallDelta | pb.Restarted | pb.Finished


@dataclass(frozen=True, slots=True)
class ChatReply:
    message: payload.ChatMessage
    finish_reason: str
    metering: Metering
    response: payload.ChatResponse

    @property
    def text(self) -> str:
        """The first choice's text; empty if it only calls tools."""
        return self.message.text


@dataclass(frozen=True, slots=True)
class CompletionReply:
    text: str
    metering: Metering
    response: payload.CompletionResponse


@dataclass(frozen=True, slots=True)
class EmbedReply:
    vectors: list[list[float]]
    """One for each input, in its order."""
    metering: Metering
    response: payload.EmbeddingResponse


@dataclass(frozen=True, slots=True)
class ModerationReply:
    results: list[payload.ModerationResult]
    """One for each input, in its order."""
    metering: Metering
    response: payload.ModerationResponse

    @property
    def safe(self) -> bool:
        """Nothing was flagged in any input."""
        return all(result.safe for result in self.results)


def chat_reply(response: pb.InvokeResponse) -> ChatReply:
    first = response.chat.choices[0] if response.chat.choices else payload.ChatChoice()
    return ChatReply(first.message, first.finish_reason, response.metering, response.chat)


def completion_reply(response: pb.InvokeResponse) -> CompletionReply:
    choices = response.completion.choices
    return CompletionReply(choices[0].text if choices else "", response.metering, response.completion)


def embed_reply(response: pb.InvokeResponse) -> EmbedReply:
    ordered = sorted(response.embedding.embeddings, key=lambda each: each.index)
    return EmbedReply([list(each.values) for each in ordered], response.metering, response.embedding)


def moderation_reply(response: pb.InvokeResponse) -> ModerationReply:
    return ModerationReply(list(response.moderation.results), response.metering, response.moderation)


def event(message: pb.InvokeStreamResponse) -> Event | None:
    """None for an event that a newer sidecar knows and this client does not."""
    kind = message.WhichOneof("event")
    found: Event | None = getattr(message, kind) if kind else None
    return found


def text_of(happened: Event) -> str:
    """What an event adds to the first choice's text. Raises StreamRestarted: what came before is void."""
    if isinstance(happened, pb.Restarted):
        raise StreamRestarted(
            "The answer began anew at another provider, and the text so far is void: iterate the events instead.",
            reason="STREAM_RESTARTED",
        )
    return happened.text if isinstance(happened, pb.Delta) and happened.choice_index == 0 else ""

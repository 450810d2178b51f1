"""`taximeter invoke`: one call. The answer goes to standard output, what it cost to standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.cli import Exit
from sidecar.commands.calling import client, tell_metering
from sidecar.commands.context import err, fail, print_json

OPERATIONS = ("chat", "completion", "embedding", "moderation")


@dataclass(frozen=True, slots=True)
class Question:
    """What the command line asked for."""

    prompt: str
    alias: str
    task: str
    model: str
    operation: str
    system: str
    stream: bool
    max_tokens: int | None
    temperature: float | None
    recovery: str
    tags: tuple[str, ...]
    timeout_s: float


def invoke(question: Question, *, address: str, as_json: bool) -> int:
    """Makes the call and shows answer and metering. Returns an exit code."""
    if question.operation not in OPERATIONS:
        fail(f"no operation {question.operation!r}: {', '.join(OPERATIONS)}", Exit.USAGE)
    if question.stream and question.operation != "chat":
        fail("--stream shows chat only", Exit.USAGE)
    if not question.prompt.strip():
        fail("nothing to ask: the prompt is empty", Exit.USAGE)
    options = destination(question)
    with client(address, question.timeout_s) as connected:
        try:
            if question.stream:
                _stream(connected, question, options, as_json=as_json)
            else:
                _whole(connected, question, options, as_json=as_json)
        except TypeError as wrong:
            # What the client refuses before anything is sent: two destinations, an unknown preference.
            fail(str(wrong), Exit.USAGE)
    return Exit.OK


def destination(question: Question) -> dict[str, Any]:
    """The call's options, as the client takes them."""
    provider, _, model = question.model.partition("/")
    tags = {}
    for tag in question.tags:
        key, equals, value = tag.partition("=")
        if not equals:
            fail(f"--tag wants KEY=VALUE, not {tag!r}", Exit.USAGE)
        tags[key] = value
    given = {
        "alias": question.alias,
        "task": question.task,
        "provider": provider,
        "model": model,
        "stream_recovery": question.recovery,
        "tags": tags,
    }
    return {name: value for name, value in given.items() if value}


def messages(question: Question) -> list[Mapping[str, str]]:
    system = [{"role": "system", "content": question.system}] if question.system else []
    return [*system, {"role": "user", "content": question.prompt}]


def _stream(connected: Any, question: Question, options: dict[str, Any], *, as_json: bool) -> None:
    from google.protobuf.json_format import MessageToDict

    from taximeter.v1 import invocation_pb2

    asked = {"max_tokens": question.max_tokens, "temperature": question.temperature}
    with connected.stream(messages(question), **asked, **options) as events:
        for event in events:
            if as_json:
                kind = type(event).__name__
                print_json({kind[0].lower() + kind[1:]: MessageToDict(event)})
            elif isinstance(event, invocation_pb2.Delta):
                sys.stdout.write(event.text)
                sys.stdout.flush()
            elif isinstance(event, invocation_pb2.Restarted):
                sys.stdout.write("\n")
                err.print(f"-- begun anew at {event.to.provider}: what came so far is void --", style="yellow")
        if not as_json:
            sys.stdout.write("\n")
            sys.stdout.flush()
            tell_metering(events.metering)


def _whole(connected: Any, question: Question, options: dict[str, Any], *, as_json: bool) -> None:
    from google.protobuf.json_format import MessageToDict

    limits = {"max_tokens": question.max_tokens, "temperature": question.temperature}
    match question.operation:
        case "chat":
            reply = connected.chat(messages(question), **limits, **options)
            text = reply.text
        case "completion":
            reply = connected.complete(question.prompt, **limits, **options)
            text = reply.text
        case "embedding":
            reply = connected.embed(question.prompt, **options)
            text = " ".join(f"{value:.6g}" for value in reply.vectors[0])
        case _:
            reply = connected.moderate(question.prompt, **options)
            text = "\n".join("safe" if each.safe else f"flagged: {', '.join(each.concerns)}" for each in reply.results)
    if as_json:
        print_json({"response": MessageToDict(reply.response), "metering": MessageToDict(reply.metering)})
        return
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    tell_metering(reply.metering)

"""Panel "Call": making calls, and who can answer them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sidecar.arguments import Address, Json, leave


def invoke(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads standard input.")],
    *,
    alias: Annotated[str, typer.Option(help="Where the call goes; nothing = text.")] = "",
    task: Annotated[str, typer.Option(help="smart, fast, text, agent, ...")] = "",
    model: Annotated[str, typer.Option(help="PROVIDER/MODEL or PROVIDER: exactly this one, no fallback.")] = "",
    operation: Annotated[str, typer.Option(help="chat, completion, embedding or moderation.")] = "chat",
    system: Annotated[str, typer.Option(help="System message.")] = "",
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Show the answer as it comes.")] = False,
    max_tokens: Annotated[int | None, typer.Option()] = None,
    temperature: Annotated[float | None, typer.Option()] = None,
    recovery: Annotated[str, typer.Option(help="If a stream breaks: error, restart or buffer.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, for chargeback; can be repeated.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the whole answer.")] = 180.0,
    address: Address = "",
    json: Json = False,
) -> None:
    """Make one call and show what it cost."""
    from sidecar.commands import invoke as command

    question = command.Question(
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        alias=alias,
        task=task,
        model=model,
        operation=operation,
        system=system,
        stream=stream,
        max_tokens=max_tokens,
        temperature=temperature,
        recovery=recovery,
        tags=tuple(tag or ()),
        timeout_s=timeout,
    )
    leave(command.invoke(question, address=address, as_json=json))


def explain(
    prompt: Annotated[str, typer.Argument(help="What would be asked; its size counts for prices and limits.")] = "Hi.",
    *,
    alias: Annotated[str, typer.Option(help="Where the call would go; nothing = text.")] = "",
    task: Annotated[str, typer.Option(help="smart, fast, text, agent, ...")] = "",
    model: Annotated[str, typer.Option(help="PROVIDER/MODEL or PROVIDER: exactly this one.")] = "",
    capability: Annotated[str, typer.Option(help="chat, embedding, moderation, ...")] = "",
    operation: Annotated[
        str, typer.Option(help="chat, completion, embedding or moderation; else by the capability, else chat.")
    ] = "",
    prefer: Annotated[
        list[str] | None, typer.Option(help="quality, speed, cost, or a provider to go first; can be repeated.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", "-s", help="As a stream.")] = False,
    max_tokens: Annotated[int | None, typer.Option()] = None,
    cost: Annotated[bool, typer.Option("--cost", help="What it would cost there, and the most it could.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Show the plan that a call would take now, and why, without calling."""
    from sidecar.commands import explain as command
    from sidecar.commands import explain_cost

    wish = command.Wish(prompt, alias, task, model, capability, operation, tuple(prefer or ()), stream, max_tokens)
    if cost:
        leave(explain_cost.estimate(wish, address=address, as_json=json))
    leave(command.explain(wish, address=address, as_json=json))


def providers(
    *,
    address: Address = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those too that nothing was said about.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show health as it changes, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """List the providers, what they can do, and how they fare."""
    from sidecar.commands import providers as command
    from sidecar.commands import watch as watching

    if watch:
        leave(watching.watch(address=address, as_json=json))
    leave(command.providers(address=address, everything=everything, as_json=json))


def probe(
    provider: Annotated[list[str] | None, typer.Argument(help="Account names; none: every one that is usable.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those too whose key or settings lack.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Ask providers whether they are there and take the key; costs nothing."""
    from sidecar.commands import probe as command

    leave(command.probe(tuple(provider or ()), everything=everything, address=address, as_json=json))

"""`taximeter demo`: everything in a throw-away home, a dozen real calls, and what they came to.

It always asks the embedded model, so that it costs nothing and shows the same everywhere.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar import local_model
from sidecar.cli import Exit
from sidecar.commands.context import environment, err, fail, out
from sidecar.commands.parts import STOP_ORDER, Place, Running, free_port, start_all, start_model
from sidecar.commands.usage import draw
from sidecar.supervisor import StartFailed, Supervisor

CONFIGURATION = """
# `down` stands for a provider that is out of order: nothing listens there.
[providers.down]
type = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
self_hosted = true
smart = "out-of-order"

[providers.local]
type = "local"
base_url = "{url}"
models = {{ smart = "{model}", fast = "{model}", embedding = "{model}", completion = "{model}" }}

[aliases.smart]
chain = [{{ provider = "local", model = "{model}" }}]

[aliases.fast]
chain = [{{ provider = "local", model = "{model}" }}]

[aliases.with-fallback]
chain = [{{ provider = "down", model = "out-of-order" }}, {{ provider = "local", model = "{model}" }}]
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the demonstration."""

    says: str
    how: str
    """chat | stream | complete | embed"""
    prompt: str
    options: Mapping[str, Any]


SHORT = {"max_tokens": 40}
STEPS = (
    Step("a question to alias smart", "chat", "What does a taximeter measure?", {"alias": "smart", **SHORT}),
    Step("the same again", "chat", "What does a taximeter measure?", {"alias": "smart", **SHORT}),
    Step("a question to alias fast", "chat", "Name a colour.", {"alias": "fast", **SHORT}),
    Step("a task instead of an alias", "chat", "Say hello.", {"task": "fast", **SHORT}),
    Step("streamed, part by part", "stream", "Count from one to five.", {"alias": "smart", **SHORT}),
    Step("streamed from alias fast", "stream", "Write one short sentence.", {"alias": "fast", **SHORT}),
    Step("a completion", "complete", "The fare of a taxi depends on", {"alias": "smart", "max_tokens": 24}),
    Step("an embedding", "embed", "a yellow cab", {"provider": "local"}),
    Step("exactly one provider and model", "chat", "Hi!", {"provider": "local", "model": local_model.MODEL, **SHORT}),
    Step("tagged for chargeback", "chat", "Name a city.", {"alias": "fast", "tags": {"team": "demo"}, **SHORT}),
    Step("failover: the first provider is down", "chat", "Are you there?", {"alias": "with-fallback", **SHORT}),
    Step("failover in a stream", "stream", "Are you still there?", {"alias": "with-fallback", **SHORT}),
)


def demo() -> int:
    """Returns an exit code."""
    os.umask(0o077)
    why_not = local_model.missing()
    if why_not:
        fail(f"the demonstration needs the embedded model: {why_not}")
    with throw_away() as folder:
        return asyncio.run(_run(folder))


@contextmanager
def throw_away() -> Iterator[Path]:
    """A short path: unix sockets allow about a hundred characters."""
    folder = Path(tempfile.mkdtemp(prefix="taximeter-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path) -> int:
    supervisor = Supervisor(lambda message: err.print(message, markup=False))
    try:
        running = await _start(supervisor, folder)
        return await asyncio.to_thread(_drive, running)
    except StartFailed as failed:
        fail(str(failed))
    finally:
        await supervisor.stop(STOP_ORDER)


async def _start(supervisor: Supervisor, folder: Path) -> Running:
    from sidecar import settings
    from sidecar.providers import registry

    env = {name: value for name, value in environment().items() if not _configures(name)}
    env |= {
        "TAXIMETER_HOME": str(folder / "home"),
        "TAXIMETER_LISTEN": "127.0.0.1:0",
        "TAXIMETER_DASHBOARD_PORT": str(free_port()),
    }
    out.print("starting a small built-in model, a sidecar, a bookkeeper and a dashboard ...")
    url = await start_model(supervisor, folder / "home" / "logs", env)
    (folder / "taximeter.toml").write_text(CONFIGURATION.format(url=url, model=local_model.MODEL))
    loaded = settings.load(env, folder, registry.built())
    running = await start_all(supervisor, Place(loaded.settings, env, folder))
    out.print(f"ready: gRPC {running.address}, dashboard {running.dashboard}\n")
    return running


def _configures(variable: str) -> bool:
    return variable.startswith(("AI_", "TAXIMETER_", "OTEL_")) or variable.endswith(("_API_KEY", "_BASE_URL"))


def _drive(running: Running) -> int:
    from taximeter import Client

    with Client(f"unix:{running.socket}", timeout=60) as client:
        for number, step in enumerate(STEPS, 1):
            text, metering = _call(client, step)
            out.print(f"[bold]{number:2}. {step.says}[/]")
            out.print(f"    {shortened(text)}", markup=False, style="dim")
            cost = f"${metering.cost.amount_usd} ({metering.cost.price_source})" if metering.cost.priced else "no price"
            told = f"{metering.provider}, {metering.usage.input_tokens} tokens in, {metering.usage.output_tokens} out"
            out.print(f"    {told}, {cost}", markup=False)
            if metering.fallback_used:
                out.print(f"    {metering.fallback_message}", markup=False, style="yellow")
    out.print("\nWhat the books say:\n")
    return _report(running.home, len(STEPS))


def _call(client: Any, step: Step) -> tuple[str, Any]:
    """(what was answered, its metering)"""
    match step.how:
        case "stream":
            with client.stream(step.prompt, **step.options) as events:
                return "".join(events.text), events.metering
        case "complete":
            reply = client.complete(step.prompt, **step.options)
            return step.prompt + reply.text, reply.metering
        case "embed":
            reply = client.embed(step.prompt, **step.options)
            return f"a vector of {len(reply.vectors[0])} numbers", reply.metering
        case _:
            reply = client.chat(step.prompt, **step.options)
            return reply.text, reply.metering


def shortened(text: str, width: int = 90) -> str:
    """One line of it."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _report(home: Path, expected: int) -> int:
    """The usage table, once the books hold every call; exit 1 if they do not within 10 s."""
    import time

    from analytics.period import parse
    from analytics.source import open_source

    source = open_source(home)
    end = time.monotonic() + 10
    while (booked := source.status().calls) < expected and time.monotonic() < end:
        time.sleep(0.05)
    draw(source, parse("24h"), ("alias", "provider"), {})
    out.print(f"\n{expected} calls made, {booked} in the books.")
    return Exit.OK if booked == expected else Exit.FAILED

"""`taximeter models`: what a self-hosted provider (Ollama) holds on its disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import err, out, print_json
from sidecar.commands.show import plain, when
from sidecar.commands.tables import show_table

COLUMNS = ("model", "size", "parameters", "quantization", "family", "modified")
GIB, MIB = 1 << 30, 1 << 20


def models(*, provider: str, address: str, as_json: bool) -> int:
    """What is there. Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    with client(address) as connected:
        found = connected.local_models(provider)
    if as_json:
        for model in found:
            print_json(MessageToDict(model))
    elif found:
        show_table(COLUMNS, [_row(model) for model in found], right=("size",), whole=("model",), spare=COLUMNS[:1:-1])
    else:
        out.print("no models are there: `taximeter models pull NAME` gets one (names: ollama.com/library)")
    return Exit.OK


def show(model: str, *, provider: str, address: str, as_json: bool) -> int:
    """One model. Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    with client(address) as connected:
        found = connected.show_model(model, provider=provider)
    if as_json:
        print_json(MessageToDict(found))
        return Exit.OK
    about = found.model
    known = {
        "model": about.name,
        "family": about.family,
        "parameters": about.parameter_size,
        "quantization": about.quantization,
        "context": f"{found.context_tokens} tokens" if found.context_tokens else "",
        "capabilities": ", ".join(found.capabilities),
        "modified": _modified(about),
        "set": found.parameters,
        "license": found.license.strip().partition("\n")[0],
    }
    show_table(("field", "value"), [(name, plain(value)) for name, value in known.items() if value], whole=("field",))
    return Exit.OK


def pull(model: str, *, provider: str, address: str, as_json: bool) -> int:
    """Gets a model; Ctrl-C stops, and the next pull goes on where this one ended. Returns an exit code."""
    with client(address) as connected:
        try:
            (_say if as_json else _draw)(connected.pull_model(model, provider=provider))
        except KeyboardInterrupt:  # leaving hangs up, which stops the pull
            err.print(f"stopped; `taximeter models pull {model}` goes on where this ended", markup=False)
            return Exit.INTERRUPTED
    if not as_json:
        out.print(f"{model} is there", markup=False)
    return Exit.OK


def delete(model: str, *, provider: str, address: str, as_json: bool) -> int:
    """Takes a model off the disk. Returns an exit code."""
    with client(address) as connected:
        connected.delete_model(model, provider=provider)
    if as_json:
        print_json({"model": model, "deleted": True})
    else:
        out.print(f"{model} is deleted", markup=False)
    return Exit.OK


def _say(told: Iterable[Any]) -> None:
    from google.protobuf.json_format import MessageToDict

    for each in told:
        print_json(MessageToDict(each))


def _draw(told: Iterable[Any]) -> None:
    """A bar for each layer where someone is looking, a line for each new word elsewhere."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    layers: dict[str, Any] = {}
    last = ""
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        for each in told:
            if each.digest and each.total_bytes:
                if each.digest not in layers:
                    layers[each.digest] = progress.add_task(_short(each.status), total=each.total_bytes)
                progress.update(layers[each.digest], completed=each.completed_bytes)
            if each.status != last:
                last = each.status
                if not err.is_terminal or not each.digest:
                    progress.console.print(_short(last), markup=False, style="dim")


def _short(status: str) -> str:
    """ "pulling sha256:0123456789abcdef..." -> "pulling 0123456789ab"."""
    word, _, digest = status.partition(" ")
    return f"{word} {digest.removeprefix('sha256:')[:12]}" if word == "pulling" and digest != "manifest" else status


def _row(model: Any) -> tuple[str, ...]:
    size = model.size_bytes
    return (
        model.name,
        f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB",
        model.parameter_size or "-",
        model.quantization or "-",
        model.family or "-",
        _modified(model) or "-",
    )


def _modified(model: Any) -> str:
    return when(model.modified_at.ToDatetime()) if model.HasField("modified_at") else ""

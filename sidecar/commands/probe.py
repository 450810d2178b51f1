"""`taximeter probe`: asks providers, now, whether they are there and take the key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import fail, print_json
from sidecar.commands.show import ms
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter import Client
    from taximeter.v1.catalog_pb2 import ProbeProviderResponse

COLUMNS = ("provider", "answer", "took", "models", "says")
AT_ONCE = 8
MODELS_SHOWN = 3


def probe(names: tuple[str, ...], *, everything: bool, address: str, as_json: bool) -> int:
    """Returns 1 if any of them does not answer well."""
    with client(address) as connected:
        asked = list(names) or _set_up(connected, everything=everything)
        if not asked:
            fail("no provider is usable: `taximeter doctor` says why")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(connected.probe, asked))
    if as_json:
        for name, answer in zip(asked, answers, strict=True):
            print_json(_document(name, answer))
    else:
        rows = [_row(name, answer) for name, answer in zip(asked, answers, strict=True)]
        show_table(COLUMNS, rows, right=("took",), whole=("provider", "answer"))
    return Exit.OK if all(answer.ok for answer in answers) else Exit.FAILED


def _set_up(connected: Client, *, everything: bool) -> list[str]:
    """Every provider that is usable; with `everything` those too that are set up and are not."""
    listed = connected.providers().providers
    return [each.name for each in listed if each.usable or (everything and each.key)]


def _document(name: str, answer: ProbeProviderResponse) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    return {"provider": name, "ok": answer.ok, **MessageToDict(answer)}


def _row(name: str, answer: ProbeProviderResponse) -> tuple[str, ...]:
    models = ", ".join(answer.models[:MODELS_SHOWN])
    more = len(answer.models) - MODELS_SHOWN
    took = ms(answer.took.ToNanoseconds() / 1e6)
    told = f"{models}, and {more} more" if more > 0 else models
    return name, "ok" if answer.ok else answer.error_type, took, told or "-", answer.message or "-"

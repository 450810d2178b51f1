"""`taximeter providers --watch`: health as it changes, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import out, print_json

if TYPE_CHECKING:
    from taximeter.v1.catalog_pb2 import AccountHealth, TargetHealth, WatchHealthResponse


def watch(*, address: str, as_json: bool) -> int:
    """Until Ctrl-C, or the end of the sidecar."""
    from google.protobuf.json_format import MessageToDict

    with client(address) as connected:
        for news in connected.watch_health():
            if as_json:
                print_json(MessageToDict(news))
                continue
            for line in lines(news):
                out.print(f"{datetime.now():%H:%M:%S}  {line}", markup=False)  # noqa: DTZ005 - the reader's own clock
    return Exit.OK


def lines(news: WatchHealthResponse) -> Iterator[str]:
    yield from (_target(each) for each in news.targets)
    yield from (_account(each) for each in news.accounts)


def circuit(each: TargetHealth) -> str:
    from taximeter.v1.catalog_pb2 import CircuitState

    return CircuitState.Name(each.circuit).removeprefix("CIRCUIT_STATE_").lower().replace("_", " ")


def _target(each: TargetHealth) -> str:
    state = each.blocked_reason or f"circuit {circuit(each)}"
    last = f" (last error: {each.last_error_type})" if each.last_error_type and each.blocked_reason else ""
    return f"{each.target.provider}/{each.target.model}: {state}{last}"


def _account(each: AccountHealth) -> str:
    parts = [each.state]
    if each.keys_aside:
        parts.append(f"key rejected: {', '.join(each.keys_aside)}")
    if each.HasField("probed_at"):
        parts.append(f"last probe: {each.probe_error_type or 'ok'}")
    return f"{each.provider}: {'; '.join(parts)}"

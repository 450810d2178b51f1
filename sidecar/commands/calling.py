"""Reaching a sidecar from the command line, and telling what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import configuration, err, fail, print_json, whereabouts

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from taximeter import Client


def where(address: str) -> str:
    """The address to call: as given, TAXIMETER_ADDRESS, this home's socket, or where a sidecar would listen."""
    if address or os.environ.get("TAXIMETER_ADDRESS"):
        return address or os.environ["TAXIMETER_ADDRESS"]
    socket = whereabouts().socket
    return f"unix:{socket}" if socket.exists() else configuration().settings.listen


@contextmanager
def client(address: str, timeout_s: float = 30.0) -> Iterator[Client]:
    """A client, with the token of TAXIMETER_TOKEN if there is one; its errors end the command: 3 if nobody is there,
    1 otherwise."""
    from taximeter import Client
    from taximeter.errors import SidecarUnavailable, TaximeterError

    at = where(address)
    try:
        made = Client(at, timeout=timeout_s)
    except ValueError as wrong:
        fail(f"TAXIMETER_TOKEN: {wrong}", Exit.USAGE)
    try:
        with made as connected:
            yield connected
    except TaximeterError as failed:
        if isinstance(failed, SidecarUnavailable) and not failed.reason:
            fail(f"no sidecar answers at {at}. Start one (`taximeter up`), or say where: --address", Exit.UNREACHABLE)
        if failed.code == "UNIMPLEMENTED" and not failed.reason:  # said by gRPC: nobody there serves it
            fail(f"the sidecar at {at} is older than this command, and does not know it: update it, and start it again")
        if failed.metering is not None:
            tell_attempts(failed.metering)
        if failed.code == "DEADLINE_EXCEEDED":  # said by our clock or by the sidecar's
            fail(f"no answer within {timeout_s:g} s: --timeout gives it longer (DEADLINE_EXCEEDED)")
        fail(f"{failed} ({failed.reason or failed.code})")


def document(answer: Message) -> int:
    """An answer as one JSON document; returns the exit code."""
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(answer))
    return Exit.OK


def tell_attempts(metering: Any) -> None:
    """One line an attempt, on standard error."""
    for attempt in metering.attempts:
        took_ms = attempt.duration.ToNanoseconds() / 1e6
        fault = f"{attempt.error_type} {attempt.http_status or ''}".strip()
        err.print(
            f"  {attempt.number}. {attempt.provider}/{attempt.model}  {took_ms:.0f} ms  {fault or 'ok'}"
            + (f"  {attempt.message}" if attempt.message else ""),
            markup=False,
            style="dim",
        )


def tell_metering(metering: Any) -> None:
    """What a call came to, in a line or two on standard error."""
    usage = metering.usage
    parts = [
        f"{metering.provider}/{metering.model_reported or metering.model_requested}",
        f"{usage.input_tokens} in",
        f"{usage.output_tokens} out" if usage.HasField("output_tokens") else "",
        f"${metering.cost.amount_usd} ({metering.cost.price_source})" if metering.cost.priced else "price unknown",
        f"{metering.duration.ToNanoseconds() / 1e6:.0f} ms",
        metering.call_id,
    ]
    err.print(" · ".join(part for part in parts if part), markup=False, style="dim")
    if metering.fallback_used:
        err.print(metering.fallback_message, markup=False, style="yellow")
        tell_attempts(metering)

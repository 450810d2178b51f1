"""`taximeter doctor`: looks at everything once, and says what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar import local_model
from sidecar.cli import Exit
from sidecar.commands.alone import taken
from sidecar.commands.context import configuration, out, print_json
from sidecar.commands.probes import configuration_of, reachable, serving, shown

if TYPE_CHECKING:
    from sidecar.settings import Loaded
    from taximeter.v1.config_pb2 import GetConfigStatusResponse

LOW_DISK_BYTES = 1 << 30
LAG_S = 10.0


_WAITING = """SELECT strftime(min(started_at), '%Y-%m') AS month FROM ai_call_logs
WHERE started_at < date_trunc('day', ?::TIMESTAMP)
AND started_at >= (SELECT coalesce(max(month) + INTERVAL 1 MONTH, TIMESTAMP '1970-01-01') FROM ai_billing_periods)"""


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    says: str


def doctor(*, as_json: bool) -> int:
    """Returns 0 if nothing is wrong, else 1."""
    loaded = configuration()
    findings = [
        *_providers(loaded),
        *_home(loaded.settings.home),
        *_vault(loaded),
        *_processes(loaded),
        *_books(loaded),
    ]
    if as_json:
        print_json([{"what": each.what, "verdict": each.verdict, "says": each.says} for each in findings])
    else:
        marks = {Verdict.OK: "[green]ok   [/]", Verdict.NOTE: "[yellow]note [/]", Verdict.WRONG: "[red]wrong[/]"}
        for each in findings:
            out.print(f"{marks[each.verdict]} {each.what:<14} ", end="")
            out.print(each.says, markup=False)
    return Exit.FAILED if any(each.verdict is Verdict.WRONG for each in findings) else Exit.OK


def _providers(loaded: Loaded) -> Iterator[Finding]:
    from sidecar.settings import any_usable
    from sidecar.settings.describe import configured, unusable

    for warning in loaded.warnings:
        yield Finding("configuration", Verdict.NOTE, warning)
    usable = [name for name in configured(loaded) if loaded.catalog.accounts[name].usable]
    for name, why in unusable(loaded):
        yield Finding("provider", Verdict.NOTE, f"{name} cannot be used: {why}")
    if any_usable(loaded):
        yield Finding("providers", Verdict.OK, f"usable: {', '.join(usable)}")
    elif why_not := local_model.missing():
        yield Finding("providers", Verdict.WRONG, f"none is usable (say OPENAI_API_KEY=...), and {why_not}")
    else:
        yield Finding(
            "providers", Verdict.NOTE, "none is usable: `taximeter up` puts the embedded model in their place"
        )


def _home(home: Path) -> Iterator[Finding]:
    if not home.exists():
        yield Finding("home", Verdict.NOTE, f"{home} is made by the first start")
        return
    if not os.access(home, os.W_OK):
        yield Finding("home", Verdict.WRONG, f"{home} cannot be written; set TAXIMETER_HOME to a folder of yours")
    elif home.stat().st_mode & 0o077:
        yield Finding("home", Verdict.WRONG, f"{home} can be read by others: chmod 700 {home}")
    else:
        yield Finding("home", Verdict.OK, str(home))
    free = shutil.disk_usage(home).free
    low = free < LOW_DISK_BYTES
    says = f"{free / (1 << 30):.1f} GiB free"
    yield Finding("disk", Verdict.WRONG if low else Verdict.OK, says + (": make room, or calls are refused" * low))


def _vault(loaded: Loaded) -> Iterator[Finding]:
    """Whether it has a key; no service is asked."""
    from sidecar.vault import open_vault

    wrong: list[str] = []
    vault = open_vault(loaded.encryption, wrong.append)
    for each in wrong:
        yield Finding("vault", Verdict.WRONG, each)
    if vault.ready:
        yield Finding("vault", Verdict.OK, "keys of workspaces can be encrypted and opened")
    elif not wrong:
        says = "locked: `taximeter up` makes a key at its first start, or set AI_ENCRYPTION_KEY"
        yield Finding("vault", Verdict.NOTE, says)


def _processes(loaded: Loaded) -> Iterator[Finding]:
    from analytics.source import held

    settings = loaded.settings
    if asyncio.run(serving(settings.socket)):
        yield Finding("sidecar", Verdict.OK, f"serving at {settings.socket}")
        yield from _reload(asyncio.run(configuration_of(settings.socket)))
    elif held(settings.home / "sidecar.lock"):
        yield Finding("sidecar", Verdict.WRONG, "runs and takes no calls: it is starting, stopping or stuck")
    else:
        yield Finding("sidecar", Verdict.NOTE, "not running: taximeter up, or taximeter sidecar")
        host, _, port = settings.listen.rpartition(":")
        if port.isdigit() and taken(host.strip("[]"), int(port)):
            says = f"{settings.listen} is taken by another program: stop that, or set TAXIMETER_LISTEN"
            yield Finding("address", Verdict.WRONG, says)
    host, port_number = reachable(settings.dashboard_host), settings.dashboard_port
    if asyncio.run(shown(host, port_number)):
        yield Finding("dashboard", Verdict.OK, f"http://{host}:{port_number}")
    elif taken(settings.dashboard_host, port_number):
        says = f"port {port_number} is taken by another program: stop that, or set TAXIMETER_DASHBOARD_PORT"
        yield Finding("dashboard", Verdict.WRONG, says)
    else:
        yield Finding("dashboard", Verdict.NOTE, "not running: taximeter up, or taximeter dashboard")


def _reload(status: GetConfigStatusResponse | None) -> Iterator[Finding]:
    """What the sidecar says of the configuration it has in force."""
    if status is None:
        return
    for error in status.errors:
        says = f"was refused at {status.refused_at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC: {error}"
        yield Finding("reload", Verdict.WRONG, says)
    if not status.errors and status.generation > 1:
        loaded_at = f"{status.loaded_at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
        yield Finding("reload", Verdict.OK, f"configuration {status.generation} of this sidecar, since {loaded_at}")


def _books(loaded: Loaded) -> Iterator[Finding]:
    from analytics.source import NoLedger, SourceError, open_source

    settings = loaded.settings
    try:
        status = open_source(settings.home).status()
    except NoLedger:
        yield Finding("ledger", Verdict.NOTE, "nothing was recorded yet")
        return
    except SourceError as failed:
        yield Finding("ledger", Verdict.WRONG, str(failed))
        return
    yield Finding(
        "ledger", Verdict.OK, f"{status.calls:,} calls, {status.open_calls} open, schema {status.schema_version}"
    )
    if not status.live:
        yield Finding("bookkeeper", Verdict.NOTE, "not running: the journal waits for it; taximeter bookkeeper")
    elif status.lag_s > LAG_S:
        yield Finding("bookkeeper", Verdict.WRONG, f"{status.lag_s:.0f} s behind the journal: see its log")
    else:
        yield Finding("bookkeeper", Verdict.OK, f"{status.backlog_bytes:,} bytes of journal to go")
    if status.live and settings.ledger_keep_s is not None:
        yield from _retention(settings.home, settings.ledger_keep_s)
    if status.corrupt_frames:
        says = f"{status.corrupt_frames} damaged frames were passed over: check the disk, then taximeter rebuild"
        yield Finding("journal", Verdict.WRONG, says)


def _retention(home: Path, keep_s: float) -> Iterator[Finding]:
    """Whether calls that are old enough to go wait for their billing period."""
    from analytics.question import moment
    from analytics.source import open_source

    before = moment(datetime.now(UTC) - timedelta(seconds=keep_s))
    (found,) = open_source(home).table(_WAITING, (before,)).to_pylist()
    if month := found["month"]:
        says = (
            f"calls of {month} are older than TAXIMETER_LEDGER_KEEP and stay: none goes before its billing period is "
            f"closed: taximeter periods close {month}"
        )
        yield Finding("retention", Verdict.NOTE, says)

"""Billing periods over the API: who sees what of them, who closes them, and that the audit knows."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import typer

from sidecar.commands import periods as command
from taximeter import errors
from taximeter.v1 import billing_pb2 as pb
from taximeter.v1 import usage_pb2
from taximeter.v1.billing_pb2_grpc import BillingServiceStub
from taximeter.v1.usage_pb2_grpc import UsageServiceStub
from tests.support.tenants import Tenants, books, tenants

MONTH = "2026-01"


@pytest.fixture
async def at() -> AsyncIterator[Tenants]:
    async with tenants() as made:
        await made.workspace("acme")
        yield made


async def billing(at: Tenants, token: str = "") -> Any:
    return (await at.client(token)).service(BillingServiceStub)


async def close(at: Tenants, token: str = "", **more: Any) -> pb.BillingPeriod:
    stub = await billing(at, token)
    return (await stub.ClosePeriod(pb.ClosePeriodRequest(month=MONTH, **more))).period  # type: ignore[no-any-return]


async def listed(at: Tenants, token: str = "", workspace: str = "") -> list[pb.BillingPeriod]:
    stub = await billing(at, token)
    return list((await stub.ListPeriods(pb.ListPeriodsRequest(workspace_id=workspace))).periods)


def focus(*, day: int = 1, layout: usage_pb2.ExportLayout.ValueType) -> usage_pb2.ExportUsageRequest:
    request = usage_pb2.ExportUsageRequest(format=usage_pb2.EXPORT_FORMAT_CSV, layout=layout)
    request.filters["workspace"] = "*"
    request.period.start.FromJsonString(f"2026-01-{day:02}T00:00:00Z")
    request.period.end.FromJsonString("2026-02-01T00:00:00Z")
    return request


async def exported(at: Tenants, **asked: Any) -> tuple[bytes, usage_pb2.ExportManifest]:
    usage: Any = (await at.client()).service(UsageServiceStub)
    parts = [part async for part in usage.ExportUsage(focus(**asked))]
    return b"".join(part.data for part in parts), parts[-1].manifest


async def test_an_auditor_closes_and_the_audit_says_so(at: Tenants) -> None:
    auditor = await at.token("acme", "auditor")
    with books(at):
        expected = await close(at, auditor, dry_run=True)
        assert (expected.closed, await at.audit("period")) == (False, [])
        done = await close(at, auditor)
        (entry,) = await at.audit("period.close")
        assert (entry.subject, entry.actor, entry.workspace) == (MONTH, done.closed_by, "default")
        assert entry.after == {"cost_usd": done.cost_usd, "corrections_usd": "0.000000000000", "force": False}
        assert (done.closed, done.cost_usd) == (True, expected.cost_usd)
        assert await listed(at, auditor) == [done]
        with pytest.raises(errors.PeriodNotClosable, match="2026-01 is closed already; the next one is 2026-02"):
            await close(at, auditor)
        assert len(await at.audit("period")) == 1, "what was refused is not said to be done"


async def test_what_is_exported_is_what_was_closed(at: Tenants) -> None:
    with books(at):
        done = await close(at)
        data, manifest = await exported(at, layout=usage_pb2.EXPORT_LAYOUT_FOCUS_1_2)
        assert (manifest.sha256, manifest.rows, manifest.cost_usd) == (done.sha256, done.rows, done.cost_usd)
        assert data.count(b"\n") == done.rows + 1
        assert manifest.unpriced_calls > 0 < manifest.unpriced_tokens
        more, _ = await exported(at, layout=usage_pb2.EXPORT_LAYOUT_FOCUS_1_4)
        assert b"HostProviderName" in more.partition(b"\n")[0]
        with pytest.raises(errors.InvalidRequest, match="whole months") as wrong:
            await exported(at, layout=usage_pb2.EXPORT_LAYOUT_FOCUS_1_2, day=5)
        assert [field for field, _ in wrong.value.violations] in ([], ["period"])


async def test_a_workspace_sees_its_own_costs(at: Tenants) -> None:
    viewer = await at.token("acme", "viewer")
    with books(at):
        await close(at)
        (own,), (all_,), (theirs,) = await asyncio.gather(listed(at, viewer), listed(at), listed(at, workspace="acme"))
        assert Decimal(own.cost_usd) == Decimal(theirs.cost_usd) < Decimal(all_.cost_usd)
        assert (own.rows, own.sha256, own.closed_by) == (0, "", ""), "which are of all workspaces"
        assert (all_.rows > 0, len(all_.sha256)) == (True, 64)
        with pytest.raises(errors.PermissionDenied):
            await listed(at, viewer, workspace="default")
        with pytest.raises(errors.PermissionDenied):
            await close(at, viewer)


async def test_the_command_line_closes_and_lists(
    at: Tenants, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TAXIMETER_TOKEN", raising=False)

    async def run(month: str = MONTH, *, dry_run: bool = False, yes: bool = True) -> str:
        """What it says on standard output."""
        how: dict[str, Any] = {"dry_run": dry_run, "force": False, "yes": yes, "as_json": False}
        await asyncio.to_thread(command.close, month, **how, address=at.socket)
        return capfd.readouterr().out

    with books(at):
        assert (await run(dry_run=True)).startswith("would close 2026-01: $0.")
        said = await run()
        assert re.fullmatch(r"closed 2026-01: \$0\.\d+, [\d,]+ rows; SHA-256 of its CSV: [0-9a-f]{64}\n", said)
        await asyncio.to_thread(command.list_, "", wide=False, address=at.socket, as_json=True)
        (line,) = map(json.loads, capfd.readouterr().out.splitlines())
        assert (line["month"], line["closed"], line["correctionsUsd"]) == (MONTH, True, "0.000000000000")
        await asyncio.to_thread(command.list_, "", wide=True, address=at.socket, as_json=False)
        assert line["sha256"] in capfd.readouterr().out
        with pytest.raises(typer.Exit):
            await run()
        assert "the next one is 2026-02. (PERIOD_NOT_CLOSABLE)" in capfd.readouterr().err
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(typer.Exit):
            await run("2026-02", yes=False)
        assert "say --yes where nobody can be asked" in capfd.readouterr().err


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "October", "2026-01-01"])
async def test_a_month_is_written_in_one_way(at: Tenants, month: str) -> None:
    with books(at, 1), pytest.raises(errors.InvalidRequest, match=r"Write it like 2026-10"):
        await (await billing(at)).ClosePeriod(pb.ClosePeriodRequest(month=month))


async def test_without_a_bookkeeper_nothing_is_closed_and_nothing_audited(at: Tenants) -> None:
    with pytest.raises(errors.LedgerUnavailable):
        await close(at)
    assert await at.audit("period") == []

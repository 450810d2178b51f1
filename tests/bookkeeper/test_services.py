"""Both services over a real socket, asked as the sidecar and the dashboards ask."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import grpc
import polars as pl
import pyarrow as pa
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no stubs
from grpc_status import rpc_status

from analytics.usage import usage_question
from sidecar.bookkeeper import answering, ledger_reads, server, usage_pages
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.usage_service import UsageService
from taximeter.journal.v1 import journal_pb2
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from taximeter.v1 import metering_pb2, usage_pb2, usage_pb2_grpc
from tests.support.blank import blank
from tests.support.ledger import T0_NS, batches, opening, record, rows
from tests.support.stack import clean_environment, until

RECORDS = [record(seq, attempts=1 + seq % 3) for seq in range(120)]
OWN = [each for each in RECORDS if each.workspace == "acme"]
DAY = usage_pb2.Period(start=Timestamp(seconds=T0_NS // 10**9 - 1), end=Timestamp(seconds=T0_NS // 10**9 + 1000))


def _token(end: str, after: str) -> str:
    """As anybody could write one for the next page of the whole day."""
    page = usage_pages.asked(usage_pb2.QueryUsageRequest(period=DAY), datetime.now(UTC))
    return base64.urlsafe_b64encode(f'["{page.request}", "{end}", {after}]'.encode()).decode()


ENDLESS = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range = 7"

BIG = "SELECT repeat('x', 1000) AS text FROM range(100000000)"


@dataclass
class Served:
    folder: Path
    ledger: Ledger
    books: ledger_pb2_grpc.LedgerServiceStub
    usage: usage_pb2_grpc.UsageServiceStub

    def sql(self, sql: str, parameters: str = "") -> list[dict[str, Any]]:
        parts = self.books.Query(ledger_pb2.QueryRequest(sql=sql, parameters_json=parameters))
        table: pa.Table = pa.ipc.open_stream(io.BytesIO(b"".join(part.arrow_ipc for part in parts))).read_all()
        return table.to_pylist()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with (
        tempfile.TemporaryDirectory(prefix="tx") as name,
        closing(Ledger(blank(Path(name) / "ledger.duckdb"))) as ledger,
    ):
        frames = [journal_pb2.Frame(finished=each) for each in RECORDS]
        for batch in batches([*frames, journal_pb2.Frame(started=opening(1001))], []):
            ledger.book(batch)
        asking = Asking(ledger, QueryLimits(timeout_s=5.0, max_rows=100_000))
        socket = Path(name) / "bookkeeper.sock"
        serving = server.start(
            socket, LedgerService(asking, lambda: Progress(17, 0.5, 99), lambda: 23), UsageService(asking)
        )
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            yield Served(
                Path(name),
                ledger,
                ledger_pb2_grpc.LedgerServiceStub(channel),
                usage_pb2_grpc.UsageServiceStub(channel),
            )
        serving.stop(None).wait()


def as_workspace(workspace: str = "acme") -> tuple[tuple[str, str], ...]:
    return (("taximeter-workspace", workspace),)


def reason(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str]:
    status = rpc_status.from_call(cast("grpc.Call", error.value))
    assert status
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "taximeter"
    return cast("grpc.Call", error.value).code().name, info.reason


class TestLedgerService:
    def test_the_socket_is_for_its_owner_only(self, served: Served) -> None:
        assert stat.S_IMODE((served.folder / "bookkeeper.sock").stat().st_mode) == 0o600

    def test_rows_come_as_arrow(self, served: Served) -> None:
        assert served.sql("SELECT seq, cost_usd FROM ai_call_logs WHERE seq = ?", "[3]") == [
            {"seq": 3, "cost_usd": Decimal("0.000000000049")}
        ]

    def test_a_large_answer_comes_in_chunks_below_grpcs_limit(self, served: Served) -> None:
        rows = served.sql("SELECT repeat('x', 1000) AS text FROM range(20000)")
        assert (len(rows), set(map(len, (row["text"] for row in rows)))) == (20_000, {1000})

    def test_an_answer_without_rows_has_its_columns(self, served: Served) -> None:
        parts = served.books.Query(ledger_pb2.QueryRequest(sql="SELECT seq FROM ai_call_logs WHERE false"))
        table = pa.ipc.open_stream(b"".join(part.arrow_ipc for part in parts)).read_all()
        assert (table.num_rows, table.column_names) == (0, ["seq"])

    @pytest.mark.parametrize(
        ("sql", "parameters", "expected"),
        [
            pytest.param("COPY calls TO '/tmp/out.csv'", "", ("INVALID_ARGUMENT", "INVALID_REQUEST"), id="copy"),
            pytest.param("FROM '/etc/passwd'", "", ("INVALID_ARGUMENT", "INVALID_REQUEST"), id="file"),
            pytest.param("SELECT ?", "{}", ("INVALID_ARGUMENT", "INVALID_REQUEST"), id="parameters-no-array"),
            pytest.param("SELECT ?", "[", ("INVALID_ARGUMENT", "INVALID_REQUEST"), id="parameters-no-json"),
            pytest.param("FROM range(200000)", "", ("RESOURCE_EXHAUSTED", "OVERLOADED"), id="too-many-rows"),
        ],
    )
    def test_errors_say_what_is_wrong(
        self, served: Served, sql: str, parameters: str, expected: tuple[str, str]
    ) -> None:
        with pytest.raises(grpc.RpcError) as error:
            served.sql(sql, parameters)
        assert reason(error) == expected

    def test_a_caller_who_leaves_ends_the_query(self, served: Served) -> None:
        answer = served.books.Query(ledger_pb2.QueryRequest(sql=ENDLESS))
        threading.Timer(0.3, answer.cancel).start()
        with pytest.raises(grpc.RpcError):
            list(answer)
        until(lambda: served.ledger.readers == 0, "the query has ended", 5)

    def test_a_caller_who_takes_nothing_is_hung_up_on(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger_reads, "STALL_S", 0.2)
        asking = Asking(served.ledger, QueryLimits(timeout_s=1.0))
        socket = served.folder / "stall.sock"
        serving = server.start(socket, LedgerService(asking, Progress, lambda: 0), UsageService(asking))
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            answer = ledger_pb2_grpc.LedgerServiceStub(channel).Query(ledger_pb2.QueryRequest(sql=BIG))
            next(answer)
            until(lambda: served.ledger.readers == 0, "the query has ended", 10)
        serving.stop(None).wait()

    def test_an_answer_for_a_file_may_have_any_number_of_rows(self, served: Served) -> None:
        request = ledger_pb2.QueryRequest(sql="FROM range(300000)", any_size=True)
        parts = served.books.Query(request)
        table = pa.ipc.open_stream(b"".join(part.arrow_ipc for part in parts)).read_all()
        assert table.num_rows == 300_000

    def test_a_caller_who_falls_asleep_over_a_file_holds_up_nobody_and_is_hung_up_on(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_reads, "STALL_S", 0.2)
        monkeypatch.setattr(answering, "ANY_SIZE", QueryLimits(timeout_s=1.0, any_size=True))
        answer = served.books.Query(ledger_pb2.QueryRequest(sql=BIG, any_size=True))
        next(answer)
        served.ledger.save_telemetry_position("another", (0, 1))  # written at once
        assert served.ledger.readers == 1
        until(lambda: served.ledger.readers == 0, "the query has ended", 10)
        answer.cancel()

    def test_a_caller_who_vanishes_leaves_nothing_behind(self, served: Served) -> None:
        code = "import sys, grpc; from taximeter.ledger.v1 import ledger_pb2 as pb, ledger_pb2_grpc as rpc\n"
        code += "stub = rpc.LedgerServiceStub(grpc.insecure_channel(sys.argv[1]))\n"
        code += "answer = stub.Query(pb.QueryRequest(sql=sys.argv[2], any_size=True)); next(answer)\n"
        code += "print('reading', flush=True); sys.stdin.read()"
        argv = [sys.executable, "-c", code, f"unix:{served.folder / 'bookkeeper.sock'}", BIG]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment()) as caller:
            assert caller.stdout
            assert caller.stdout.readline() == b"reading\n"
            assert served.ledger.readers == 1
            caller.kill()
        until(lambda: served.ledger.readers == 0, "the query has ended", 5)

    def test_status_tells_what_stands_and_what_waits(self, served: Served) -> None:
        assert served.books.GetStatus(ledger_pb2.GetStatusRequest()) == ledger_pb2.GetStatusResponse(
            schema_version=served.ledger.version,
            calls=120,
            open_calls=1,
            backlog_bytes=17,
            lag_s=0.5,
            last_ingest_ns=99,
            telemetry_backlog_bytes=23,
        )

    def test_status_tells_up_to_which_day_the_sums_reach(self, served: Served) -> None:
        with served.ledger.transaction() as writer:
            writer.execute("""UPDATE rolled SET "until" = DATE '2025-12-31'""")
        try:
            assert served.books.GetStatus(ledger_pb2.GetStatusRequest()).rolled_until == "2025-12-31"
        finally:
            with served.ledger.transaction() as writer:
                writer.execute("""UPDATE rolled SET "until" = DATE '1970-01-01'""")

    def test_the_file_given_out_is_a_ledger(self, served: Served, tmp_path: Path) -> None:
        copy = tmp_path / "ledger.duckdb"
        copy.write_bytes(b"".join(part.data for part in served.books.Backup(ledger_pb2.BackupRequest())))
        with closing(Ledger(copy)) as ledger:
            assert ledger.count_calls() == 120
        assert list(served.folder.glob(".backup-*")) == []


class TestWorkspaces:
    @pytest.mark.parametrize(
        ("metadata", "filters", "expected"),
        [
            pytest.param((), {}, ("UNAUTHENTICATED", "UNAUTHENTICATED"), id="none"),
            pytest.param(as_workspace(""), {}, ("UNAUTHENTICATED", "UNAUTHENTICATED"), id="empty"),
            pytest.param(as_workspace() * 2, {}, ("UNAUTHENTICATED", "UNAUTHENTICATED"), id="two"),
            pytest.param(
                as_workspace(), {"workspace": "default"}, ("PERMISSION_DENIED", "WORKSPACE_MISMATCH"), id="anothers"
            ),
        ],
    )
    def test_a_question_is_for_the_authenticated_workspace(
        self, served: Served, metadata: Any, filters: dict[str, str], expected: tuple[str, str]
    ) -> None:
        with pytest.raises(grpc.RpcError) as error:
            served.usage.QueryUsage(usage_pb2.QueryUsageRequest(period=DAY, filters=filters), metadata=metadata)
        assert reason(error) == expected

    def test_anothers_call_is_not_there(self, served: Served) -> None:
        other = next(each for each in RECORDS if each.workspace == "default")
        with pytest.raises(grpc.RpcError) as error:
            served.usage.GetCall(usage_pb2.GetCallRequest(call_id=other.call_id), metadata=as_workspace())
        assert reason(error) == ("NOT_FOUND", "CALL_NOT_FOUND")


class TestQueryUsage:
    def ask(self, served: Served, *group_by: usage_pb2.UsageDimension.ValueType, **more: Any) -> Any:
        request = usage_pb2.QueryUsageRequest(period=DAY, group_by=group_by, **more)
        return served.usage.QueryUsage(request, metadata=as_workspace())

    def test_sums_are_those_of_the_records(self, served: Served) -> None:
        by_alias = self.ask(served, usage_pb2.USAGE_DIMENSION_ALIAS)
        (row,) = by_alias.rows
        assert row == usage_pb2.UsageRow(
            group={"alias": "fast"},
            calls=len(OWN),
            fallbacks=sum(each.fallback_used for each in OWN),
            input_tokens=sum(each.usage.input_tokens for each in OWN),
            output_tokens=sum(each.usage.output_tokens for each in OWN),
            cost_usd=f"{Decimal(sum(each.cost.amount_picodollars for each in OWN)).scaleb(-12):.12f}",
            unpriced_calls=sum(not each.cost.priced for each in OWN),
            p50_ms=25.0,
            p95_ms=25.0,
            p99_ms=25.0,
        )
        assert by_alias.total.calls == len(OWN)
        assert by_alias.total.cost_usd == row.cost_usd

    def test_calls_by_provider_count_the_provider_of_record(self, served: Served) -> None:
        answer = self.ask(served, usage_pb2.USAGE_DIMENSION_PROVIDER)
        assert {row.group["provider"]: row.calls for row in answer.rows} == Counter(
            each.provider_of_record for each in OWN
        )

    def test_tags_are_groups_beside_the_others(self, served: Served) -> None:
        answer = self.ask(served, usage_pb2.USAGE_DIMENSION_WEEK, group_by_tags=["team"])
        assert [set(row.group) for row in answer.rows] == [{"week", "tag:team"}] * len(answer.rows)
        assert sum(row.calls for row in answer.rows) == len(OWN)

    def test_percentiles_of_a_long_period_are_said_to_be_approximate(self, served: Served) -> None:
        month = usage_pb2.Period()
        month.CopyFrom(DAY)
        month.start.seconds -= 30 * 86400
        asked = [usage_pb2.QueryUsageRequest(period=period) for period in (DAY, month)]
        answers = [served.usage.QueryUsage(request, metadata=as_workspace()) for request in asked]
        assert [answer.approximate for answer in answers] == [False, True]
        assert answers[1].total.p50_ms == pytest.approx(25.0, rel=0.02)

    def test_pages_give_every_row_once_in_order(self, served: Served) -> None:
        dimensions = (
            usage_pb2.USAGE_DIMENSION_HOUR,
            usage_pb2.USAGE_DIMENSION_MODEL,
            usage_pb2.USAGE_DIMENSION_PROVIDER,
        )
        whole = self.ask(served, *dimensions)
        paged: list[usage_pb2.UsageRow] = []
        token = ""
        while True:
            page = self.ask(served, *dimensions, page_size=2, page_token=token)
            assert page.total == whole.total
            paged += page.rows
            token = page.next_page_token
            if not token:
                break
        assert paged == list(whole.rows)
        assert len(paged) > 4

    def test_a_group_that_comes_in_between_neither_repeats_nor_hides_a_row(self, tmp_path: Path) -> None:
        request = usage_pb2.QueryUsageRequest(period=DAY, group_by=[usage_pb2.USAGE_DIMENSION_MODEL], page_size=2)
        pages: list[list[str]] = []
        first, late = batches([journal_pb2.Frame(finished=record(seq)) for seq in (1, 2, 3, 0)], [3])
        with closing(Ledger(tmp_path / "l.duckdb")) as ledger:
            for batch in (first, late):
                ledger.book(batch)
                page = usage_pages.asked(request, datetime.now(UTC))
                asked = usage_pages.question(page, usage_question(page.start, page.end, page.group_by, {}))
                found = [str(row[0]) for row in rows(ledger, asked.sql, *asked.params)]
                pages.append(found[: page.size])
                request.page_token = usage_pages.next_token(page, [{"model": name} for name in found])
        assert (pages, request.page_token) == ([["model-1", "model-2"], ["model-3"]], "")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            pytest.param({"period": usage_pb2.Period()}, "period.start", id="no-period"),
            pytest.param({"page_size": -1}, "page_size", id="negative-page"),
            pytest.param({"page_token": "rubbish"}, "page_token", id="token-unreadable"),
            pytest.param({"page_token": "WyJ4IiwiMjAyNi0wMS0wMVQwMDowMDowMCIsW11d"}, "page_token", id="token-anothers"),
            pytest.param({"page_token": _token("2026-01-01", "[" * 100_000)}, "page_token", id="token-deep"),
            pytest.param({"page_token": _token("0001-01-01T00:00:00+14:00", "[]")}, "page_token", id="token-old"),
            pytest.param({"page_token": _token("2026-01-01", r'["\ud800"]')}, "page_token", id="token-no-text"),
            pytest.param({"page_token": _token("2026-01-01", '["a"]')}, "page_token", id="token-of-other-groups"),
            pytest.param({"filters": {"\U0001f600" * 9999: "x"}}, "filters", id="filter-that-fits-no-trailer"),
            pytest.param({"group_by": [0]}, "group_by", id="dimension-unspecified"),
            pytest.param({"group_by": [99]}, "group_by", id="dimension-unknown"),
            pytest.param({"group_by_tags": ["a b"]}, "group_by_tags", id="no-tag-key"),
            pytest.param({"filters": {"colour": "red"}}, "filters", id="filter-unknown"),
        ],
    )
    def test_a_wrong_question_names_the_field(self, served: Served, change: dict[str, Any], field: str) -> None:
        request = usage_pb2.QueryUsageRequest(**{"period": DAY, **change})
        with pytest.raises(grpc.RpcError) as error:
            served.usage.QueryUsage(request, metadata=as_workspace())
        assert reason(error) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert str(cast("grpc.Call", error.value).details()).startswith(f"{field}: ")


class TestGetCall:
    def test_a_call_comes_with_attempts_meters_and_prices(self, served: Served) -> None:
        call = next(each for each in OWN if len(each.attempts) == 2 and each.cost.priced)
        told = served.usage.GetCall(usage_pb2.GetCallRequest(call_id=call.call_id), metadata=as_workspace())
        metering = told.metering
        assert (told.status, told.workspace, dict(told.tags)) == ("ok", "acme", dict(call.tags))
        assert (metering.provider, metering.fallback_used) == (call.provider_of_record, True)
        assert metering.fallback_reason == metering_pb2.FALLBACK_REASON_PROVIDER_ERROR
        assert metering.usage == call.usage
        assert metering.cost.amount_picodollars == call.cost.amount_picodollars
        assert [attempt.status for attempt in metering.attempts] == ["failed", "ok"]
        assert list(metering.attempts[1].cost.lines) == list(call.attempts[1].cost.lines)
        assert told.started_at.ToNanoseconds() == call.started_ns
        assert metering.time_to_first_token.ToMilliseconds() == 6

    def test_an_unpriced_call_has_no_amount(self, served: Served) -> None:
        call = next(each for each in OWN if not each.cost.priced)
        told = served.usage.GetCall(usage_pb2.GetCallRequest(call_id=call.call_id), metadata=as_workspace())
        assert (told.metering.cost.priced, told.metering.cost.HasField("amount_picodollars")) == (False, False)

    def test_an_open_call_is_told_as_open(self, served: Served) -> None:
        told = served.usage.GetCall(usage_pb2.GetCallRequest(call_id=opening(1001).call_id), metadata=as_workspace())
        assert (told.status, told.metering.provider) == ("open", "openai")


class TestExportUsage:
    def export(self, served: Served, form: usage_pb2.ExportFormat.ValueType, **more: Any) -> tuple[bytes, Any]:
        request = usage_pb2.ExportUsageRequest(period=DAY, format=form, **more)
        *data, last = served.usage.ExportUsage(request, metadata=as_workspace())
        return b"".join(part.data for part in data), last.manifest

    @pytest.mark.parametrize(
        ("form", "read"),
        [
            pytest.param(usage_pb2.EXPORT_FORMAT_CSV, pl.read_csv, id="csv"),
            pytest.param(usage_pb2.EXPORT_FORMAT_PARQUET, pl.read_parquet, id="parquet"),
            pytest.param(usage_pb2.EXPORT_FORMAT_JSON_LINES, pl.read_ndjson, id="json-lines"),
        ],
    )
    def test_the_file_holds_the_workspaces_calls_and_its_manifest_fits(
        self, served: Served, form: usage_pb2.ExportFormat.ValueType, read: Any
    ) -> None:
        data, manifest = self.export(served, form)
        frame = read(io.BytesIO(data))
        total = Decimal(sum(each.cost.amount_picodollars for each in OWN)).scaleb(-12)
        assert sorted(frame["call_id"]) == sorted(each.call_id for each in OWN)
        assert (manifest.rows, Decimal(manifest.cost_usd)) == (len(OWN), total)
        assert manifest.unpriced_calls == sum(not each.cost.priced for each in OWN)
        assert manifest.sha256 == hashlib.sha256(data).hexdigest()
        assert list(manifest.ledger_position.values()) == [121]

    def test_a_filter_narrows_it(self, served: Served) -> None:
        _, manifest = self.export(served, usage_pb2.EXPORT_FORMAT_CSV, filters={"status": "error"})
        assert manifest.rows == 0

    def test_a_format_must_be_named(self, served: Served) -> None:
        with pytest.raises(grpc.RpcError) as error:
            self.export(served, usage_pb2.EXPORT_FORMAT_UNSPECIFIED)
        assert reason(error) == ("INVALID_ARGUMENT", "INVALID_REQUEST")

"""Every question, asked of the real bookkeeper's services over their socket: what it permits is what we ask."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.calls import Follower, calls_question, one_call
from analytics.choices import choices_question
from analytics.exports import Format, count_question, export_question, ledger_position, write
from analytics.latency import latency_question
from analytics.period import Period
from analytics.question import Question
from analytics.source import QuestionFailed, Source, open_source
from analytics.sums import tried_question
from analytics.usage import usage_question
from sidecar.bookkeeper import lock, server
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import START
from tests.support.analytics_week import week
from tests.support.blank import blank

END = START + timedelta(days=7)
WEEK = Period(START, END)
RECORDS = week(END, calls=500)


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    frames = [journal_pb2.Frame(finished=to_proto(record)) for record in RECORDS]
    with (
        tempfile.TemporaryDirectory(prefix="tx") as name,
        closing(Ledger(blank(Path(name) / "ledger.duckdb"))) as ledger,
    ):
        home = Path(name)
        ledger.book(fold("sidecar-a", (0, 0), (0, len(frames)), frames))
        asking = Asking(ledger, QueryLimits(timeout_s=10.0, max_rows=100_000))
        books = LedgerService(asking, lambda: Progress(0, 0.0, 1), lambda: 0)
        with lock.held(home):
            serving = server.start(home / "bookkeeper.sock", books, UsageService(asking))
            try:
                yield open_source(home)
            finally:
                serving.stop(0).wait()


QUESTIONS = {
    "total": usage_question(START, END),
    "by-provider-and-tag": usage_question(START, END, ["day", "provider", "tag:team"], {"alias": ["smart", "fast"]}),
    "a-page-of-usage": usage_question(START, END, ["hour", "alias"], limit=7, offset=3),
    "tried": tried_question(WEEK),
    "latency": latency_question(START, END, ["provider"], {"tag:team": "red"}),
    "calls": calls_question(START, END, {"provider": "groq", "status": ["ok"]}, search="01k"),
    "choices": choices_question(WEEK),
    "count": count_question(START, END, {"provider": "groq"}),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_is_answered(source: Source, question: Question) -> None:
    assert source.table(question.sql, question.params).num_rows > 0


def test_an_export_holds_every_call_to_the_picodollar(source: Source) -> None:
    total = usage_question(START, END)
    (whole,) = source.table(total.sql, total.params).to_pylist()
    question = export_question(START, END)
    written = write(source.batches(question.sql, question.params), Format.CSV, io.BytesIO())
    assert (written.rows, written.cost_usd) == (len(RECORDS), whole["cost_usd"])
    assert ledger_position(source) == {"sidecar-a": (0, len(RECORDS))}


def test_one_call_and_the_newest(source: Source) -> None:
    one = one_call(source, RECORDS[7].call_id)
    assert one is not None
    assert len(one.attempts) == len(RECORDS[7].attempts)
    assert len(Follower(source, START).fresh()) == len(RECORDS)


def test_the_bookkeeper_answers_only_questions(source: Source) -> None:
    with pytest.raises(QuestionFailed, match="cannot answer"):
        source.table("DELETE FROM calls")

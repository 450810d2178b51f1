from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import (
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    RequestParameters,
    Skip,
    Target,
    Usage,
    UsageSource,
)
from sidecar.journal import records
from sidecar.journal.records import (
    cost_from_proto,
    cost_to_proto,
    finished_payload,
    from_proto,
    to_proto,
    usage_from_proto,
    usage_to_proto,
)
from taximeter.journal.v1 import journal_pb2
from tests.support.journal import a_record

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
FLOAT = st.floats(allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_RECORDED = [field.name for field in fields(Usage) if field.name != "cache_write_1h"]
USAGE = st.builds(Usage, **{name: st.none() | (FLOAT if name == "seconds" else INT64) for name in _RECORDED})
COST = st.builds(
    Cost,
    priced=st.booleans(),
    amount_picodollars=st.none() | INT64,
    price_source=TEXT,
    price_version=TEXT,
    lines=st.lists(st.builds(CostLine, TEXT, INT64, INT64, INT64), max_size=3).map(tuple),
)
TARGET = st.builds(Target, TEXT, TEXT)
PARAMETERS = st.builds(
    RequestParameters,
    temperature=st.none() | FLOAT,
    top_p=st.none() | FLOAT,
    top_k=st.none() | INT32,
    max_tokens=st.none() | INT32,
    seed=st.none() | INT64,
    frequency_penalty=st.none() | FLOAT,
    presence_penalty=st.none() | FLOAT,
    choice_count=st.none() | INT32,
    stop=st.lists(TEXT, max_size=3).map(tuple),
    output_type=TEXT,
)
OF_TYPE = {
    "int": INT64,
    "str": TEXT,
    "bool": st.booleans(),
    "bytes": st.binary(max_size=32),
    "int | None": st.none() | INT64,
    "Usage": USAGE,
    "Cost": COST,
    "Target": TARGET,
    "UsageSource": st.sampled_from(UsageSource),
    "CallStatus": st.sampled_from(CallStatus),
    "AttemptStatus": st.sampled_from(AttemptStatus),
    "RequestParameters": PARAMETERS,
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[Skip, ...]": st.lists(st.builds(Skip, TARGET, TEXT), max_size=2).map(tuple),
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
}
NARROW = {"number": INT32, "http_status": INT32, "server_port": INT32, "version": INT32, "message": st.just("")} | {
    "max_tokens_granted": st.none() | INT32
}


def _fields_of(kind: type) -> dict[str, st.SearchStrategy[object]]:
    """A strategy for every field of a dataclass, by its annotation: a new field is drawn too, or fails here."""
    return {
        field.name: NARROW[field.name] if field.name in NARROW else OF_TYPE[str(field.type)] for field in fields(kind)
    }


OF_TYPE["tuple[Attempt, ...]"] = st.lists(st.builds(Attempt, **_fields_of(Attempt)), max_size=2).map(tuple)
RECORD = st.builds(CallRecord, **_fields_of(CallRecord))


@given(RECORD)
def test_a_record_comes_back_as_it_went(record: CallRecord) -> None:
    assert from_proto(journal_pb2.CallRecord.FromString(to_proto(record).SerializeToString())) == record


@given(USAGE)
def test_usage_comes_back_with_its_absences(usage: Usage) -> None:
    assert usage_from_proto(usage_to_proto(usage)) == usage


@given(COST)
def test_cost_comes_back_with_its_absences(cost: Cost) -> None:
    assert cost_from_proto(cost_to_proto(cost)) == cost


def test_zero_is_not_absent() -> None:
    message = usage_to_proto(Usage(input=0))
    assert (message.HasField("input_tokens"), message.HasField("output_tokens")) == (True, False)


@pytest.mark.parametrize(
    ("cost", "dollars"),
    [
        pytest.param(Cost(priced=True, amount_picodollars=1_500_000_000), "0.0015", id="priced"),
        pytest.param(Cost(priced=True, amount_picodollars=0), "0", id="free"),
        pytest.param(Cost(priced=False, amount_picodollars=None), "", id="unpriced-is-not-zero"),
    ],
)
def test_people_get_dollars(cost: Cost, dollars: str) -> None:
    assert cost_to_proto(cost).amount_usd == dollars


def test_a_providers_words_never_enter_the_journal() -> None:
    record = a_record(1)
    attempt = replace(record.attempts[0], message="canary of the provider")
    skip = Skip(Target("groq", "llama"), "CIRCUIT_OPEN", detail="canary for people")
    payload = finished_payload(replace(record, attempts=(attempt,), skips=(skip,)))
    assert b"canary" not in payload


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"model_reported": "gpt\ud800"}, id="lone-surrogate"),
        pytest.param({"model_reported": "m" * 3_000_000}, id="endless-name"),
        pytest.param({"usage": Usage(output=1 << 70)}, id="more-than-64-bits"),
    ],
)
def test_what_a_provider_sends_cannot_keep_a_record_out_of_the_journal(odd: dict[str, object]) -> None:
    payload = finished_payload(replace(a_record(7), **odd), max_bytes=10_000)  # type: ignore[arg-type]
    finished = journal_pb2.Frame.FromString(payload).finished
    assert (finished.seq, finished.status, len(payload) < 10_000) == (7, "ok", True)


@given(RECORD)
def test_taming_leaves_a_tame_record_alone(record: CallRecord) -> None:
    assert records.tame(record) == record

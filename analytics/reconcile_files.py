"""Finds out what a provider's file is, and reads it. Numbers are decimals all the way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

from analytics import reconcile_anthropic, reconcile_openai, reconcile_openrouter
from analytics.reconcile_lines import BadStatement, Billed, CsvForm, Fields, JsonForm, Statement, covered, day_of

_VENDORS = (reconcile_openai, reconcile_anthropic, reconcile_openrouter)
CSV_FORMS: tuple[CsvForm, ...] = tuple(form for vendor in _VENDORS for form in vendor.CSV)
JSON_FORMS: tuple[JsonForm, ...] = tuple(form for vendor in _VENDORS for form in vendor.JSON)
PROVIDERS = tuple(dict.fromkeys(form.provider for form in CSV_FORMS))


def read(content: bytes) -> Statement:
    """A whole file. Raises BadStatement."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadStatement(
            "the file is not text in UTF-8; spreadsheets (xlsx) are not read: save them as CSV"
        ) from None
    if text.lstrip().startswith(("{", "[")):
        return _json(text)
    return _csv(text)


def _csv(text: str) -> Statement:
    first = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in first else ",", restval="")
    names = [name.strip() for name in table.fieldnames or ()]
    table.fieldnames = names
    form = _csv_form(names)
    lines, days = [], []
    for number, row in enumerate(table, 2):
        try:
            line = form.line(row)
            days.append(line.day if line else day_of(row.get("start_time"), "start_time"))
        except BadStatement as wrong:
            raise BadStatement(f"line {number}: {wrong}") from None
        if line:
            lines.append(line)
    first_day, last_day = covered(days)
    return Statement(form.name, form.provider, tuple(lines), first_day, last_day, form.unit_usd, form.operations)


def _csv_form(names: list[str]) -> CsvForm:
    """The form with these columns. Raises BadStatement."""
    fitting = [form for form in CSV_FORMS if form.needed <= set(names)]
    if not fitting:
        known = "; ".join(f"{form.name}: {', '.join(sorted(form.needed))}" for form in CSV_FORMS)
        raise BadStatement(f"no provider's export has the columns {', '.join(names)}. Expected those of {known}")
    form = fitting[0]
    strange = [name for name in names if name not in form.needed and not form.known.fullmatch(name)]
    if strange:
        expected = ", ".join(sorted(form.needed))
        raise BadStatement(
            f"{form.name}: unknown columns {', '.join(strange)}, which may change what the others mean. Expected "
            f"{expected}, and what goes with them; take the column out if it is of no account"
        )
    return form


def _json(text: str) -> Statement:
    pages = list(_pages(text))
    buckets = [bucket for page in pages for bucket in _listed(page, "data")]
    results = [(bucket, result) for bucket in buckets for result in _results(bucket)]
    if not results:
        raise BadStatement("the file has no lines")
    form = _json_form(results[0][1])
    lines: list[Billed] = []
    for number, (bucket, result) in enumerate(results, 1):
        if not form.fits(result):
            raise BadStatement(f"result {number} is not of {form.name}, as the first one is: one file a report")
        try:
            lines += [line] if (line := form.line(bucket, result)) else []
        except (KeyError, AttributeError) as lacking:
            raise BadStatement(f"result {number} of {form.name} lacks {lacking}") from None
        except BadStatement as wrong:
            raise BadStatement(f"result {number} of {form.name}: {wrong}") from None
    first, last = covered(chain((line.day for line in lines), _days(buckets)))
    more = ("the last page says that more follow: what they have will be missing at the provider",)
    told = Statement(form.name, form.provider, tuple(lines), first, last, operations=form.operations)
    return replace(told, notes=more if pages[-1].get("has_more") else ())


def _pages(text: str) -> Iterator[Fields]:
    """One document, a list of them, or one after the other."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    place = 0
    while place < len(text):
        try:
            document, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as wrong:
            raise BadStatement(f"not JSON at line {wrong.lineno}, column {wrong.colno}: {wrong.msg}") from None
        yield from _documents(document)
        place += len(text[place:]) - len(text[place:].lstrip())


def _documents(document: Any) -> Iterator[Fields]:
    if isinstance(document, list) and all(isinstance(each, dict) and "data" in each for each in document):
        yield from document
    elif isinstance(document, list):
        yield {"data": document}
    else:
        yield document


def _listed(page: Fields, name: str) -> list[Any]:
    found = page.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadStatement(f"no list {name!r} in the file. Expected {'; '.join(form.expected for form in JSON_FORMS)}")
    return found


def _results(bucket: Fields) -> list[Any]:
    """Of a bucket of time; what has none is a result itself."""
    return _listed(bucket, "results") if "results" in bucket else [bucket]


def _days(buckets: list[Any]) -> Iterator[date]:
    for bucket in buckets:
        for name in ("start_time", "starting_at"):
            if name in bucket:
                yield day_of(bucket[name], name)


def _json_form(result: Fields) -> JsonForm:
    """The form of the first result. Raises BadStatement."""
    for form in JSON_FORMS:
        if form.fits(result):
            return form
    known = "; ".join(form.expected for form in JSON_FORMS)
    raise BadStatement(f"no provider's report has the fields {', '.join(result)}. Expected one of {known}")

"""`make focus-check`: FOCUS files of a made-up ledger, judged by the official validator.

The validator needs Python 3.12, so it has an environment of its own; this program runs in the product's, and calls it.
Its exit code tells nothing of its verdict, so its report is read.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analytics import exports, filing
from analytics.focus_files import Version, content
from analytics.period import parse
from analytics.source import FileSource
from benchmarks.ledgers import make
from sidecar.bookkeeper import ledger_periods
from sidecar.bookkeeper.ledger import Ledger
from tests.support.focus import OCTOBER, book, call, on

CALLS = 100_000
CRITERIA = ("ACCOUNT_NAMING_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED", "TAGGING_SUPPORTED",
            "UNIT_PRICING_SUPPORTED")  # fmt: skip
"""What a provider of such files supports. Not said: USAGE_MEASUREMENT_SUPPORTED and PUBLIC_PRICE_LIST_SUPPORTED, for
which validator 2.2.1 asks for columns of commitment discounts and virtual currencies that a file need not have."""
_VERDICT = re.compile(r"^\S+ ([A-Za-z]+-[A-Z]-\d{3}-[A-Z]): (PASS|FAIL|SKIPPED)\b", re.MULTILINE)


def written(folder: Path, version: Version) -> Path:
    """November of a ledger whose October is closed: with corrections, odd prices, all kinds of units."""
    home = folder / "ledger.duckdb"
    if not home.exists():
        _ledger(home)
    out = folder / f"focus-{version}.csv"
    asked = filing.Asked(content(version), parse("2026-11"), {}, exports.Format.CSV)
    with out.open("wb") as file:
        done = filing.send(FileSource(home), asked, file)
    print(f"{out.name}: {done.rows:,} rows, {done.sums['BilledCost']:f} USD, {done.counts}")
    return out


def _ledger(path: Path) -> None:
    end = datetime(2026, 12, 1, tzinfo=UTC)
    make(path, CALLS, days=60, end=end)
    units = [("images", 3, "40000"), ("milliseconds", 2500, "0.1"), ("requests", 1, "5000"), ("characters", 120, "15")]
    late = [
        call(0, on(10, 20), [("input", 1, "0.0000005")]),
        call(1, on(11, 20), units),
        call(2, on(11, 20), [("provider_cost", 123_456_789, "0.000001")], price_source="provider"),
        call(3, on(11, 20), [("cache_write", 7, "3.75"), ("cache_write_1h", 7, "0.123456789012")], owner="workspace"),
    ]
    with closing(Ledger(path)) as ledger:
        ledger_periods.close(ledger, OCTOBER, "local", ledger_periods.Moment(end, end), force=True)
        book(ledger, late)


def judged(validator: Path, file: Path) -> bool:
    """Whether the validator finds no failure but those that are one of two ways to satisfy a rule that is satisfied."""
    package = next(validator.parent.parent.glob("lib/python*/site-packages/focus_validator"))
    rules = json.loads(next(package.glob("rules/model-1.2.*.json")).read_text())["ModelRules"]
    command = [str(validator), "--data-file", str(file), "--validate-version", "1.2", "--block-download",
               "--applicability-criteria", ",".join(CRITERIA)]  # fmt: skip
    # It looks for its list of currencies where it is run.
    report = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False).stdout
    verdicts = dict(_VERDICT.findall(report))
    failed = {rule for rule, verdict in verdicts.items() if verdict == "FAIL"}
    other_way = {rule for rule in failed if any(verdicts.get(each) == "PASS" for each in _choices(rules, rule))}
    counted = {verdict: sum(each == verdict for each in verdicts.values()) for verdict in ("PASS", "FAIL", "SKIPPED")}
    print(f"{file.name}: {counted}")
    for rule in sorted(failed):
        said = rules[rule]["ValidationCriteria"]["MustSatisfy"]
        print(f"  {'another way holds' if rule in other_way else 'FAILED'}: {rule}: {said}")
    return bool(verdicts) and failed == other_way


def _choices(rules: Mapping[str, Any], rule: str) -> Iterator[str]:
    """Rules that ask for this one or another."""
    for name, each in rules.items():
        asked = each["ValidationCriteria"].get("Requirement", {})
        if asked.get("CheckFunction") == "OR" and any(item.get("ModelRuleId") == rule for item in asked["Items"]):
            yield name


def main(validator: str, folder: str) -> int:
    files = [written(Path(folder), version) for version in Version]
    verdicts = [judged(Path(validator).absolute(), file.absolute()) for file in files]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""docs/budgets.md: its table of admissions is called row by row, its numbers are the code's."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.budget import MIN_OUTPUT_TOKENS, OverBudget
from sidecar.budget.budgets import EXPIRE_GRACE_S
from tests.support.budgets import NEVER_S, WHO, Bench, bound, budget

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "budgets.md").read_text()


def admissions() -> list[list[str]]:
    lines = PAGE.partition("<!-- tests/budget/test_docs.py")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[3:]]


@pytest.mark.parametrize("row", admissions(), ids=" ".join)
def test_admission(row: list[str]) -> None:
    limit, spent, held, input_, output, price = map(int, row[:6])
    bench = Bench().with_(budget(usd=limit))
    bench.spend(spent)
    bench.budgets.reserve(WHO, [bound(held)], NEVER_S)
    try:
        hold = bench.budgets.reserve(WHO, [bound(input_, output=output, price=price)], NEVER_S)
    except OverBudget:
        admitted = "no"
    else:
        admitted = "yes" if hold.max_output is None else f"with {hold.max_output} tokens"
    assert admitted == row[6]


def test_there_are_rows() -> None:
    assert len(admissions()) == 8


@pytest.mark.parametrize(
    "words",
    [
        f"{EXPIRE_GRACE_S:.0f} seconds after its\ncall's deadline",
        f"never under {MIN_OUTPUT_TOKENS} a choice",
        f"`soft_percent` ({budget().soft_percent})",
    ],
    ids=["grace", "least answer", "soft percent"],
)
def test_numbers(words: str) -> None:
    assert words in PAGE

"""Which columns a terminal gets."""

from decimal import ROUND_CEILING, Decimal

import pytest

from sidecar.commands.show import about, many
from sidecar.commands.tables import fitting, widths

NEEDED = {"call": 26, "alias": 5, "model": 20, "cost": 8}
SPARE = ("model", "alias")


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        pytest.param(65, ["call", "alias", "model", "cost"], id="all of them where there is room"),
        pytest.param(64, ["call", "alias", "cost"], id="the first spare one goes first"),
        pytest.param(42, ["call", "cost"], id="then the next"),
        pytest.param(10, ["call", "cost"], id="what cannot be spared stays"),
    ],
)
def test_columns_are_spared_in_their_order(width: int, kept: list[str]) -> None:
    assert fitting(NEEDED, SPARE, width) == kept


def test_a_column_is_as_wide_as_its_widest_cell() -> None:
    assert widths(("a", "name"), [["long cell", "x"], ["y", "z"]]) == {"a": 9, "name": 4}


def test_a_table_without_rows_has_its_header() -> None:
    assert widths(("a", "name"), []) == {"a": 1, "name": 4}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        pytest.param("0", "$0", id="nothing"),
        pytest.param("0.000792236551", "$0.0007922", id="four digits that tell something"),
        pytest.param("0.000000000012", "$0.000000000012", id="never finer than a picodollar"),
        pytest.param("1.920012500008", "$1.92", id="no needless zeros"),
        pytest.param("9.8765432", "$9.877", id="below ten dollars"),
        pytest.param("1234.5678", "$1,234.57", id="to the cent"),
    ],
)
def test_a_guess_has_the_digits_that_tell_something(amount: str, shown: str) -> None:
    assert about(Decimal(amount)) == shown


def test_one_of_many_is_told_as_one() -> None:
    assert [many(number, "unpriced calls") for number in (0, 1, 1234)] == [
        "0 unpriced calls", "1 unpriced call", "1,234 unpriced calls",
    ]  # fmt: skip


def test_a_bound_is_never_told_as_less_than_it_is() -> None:
    assert about(Decimal("1.920012500008"), ROUND_CEILING) == "$1.921"

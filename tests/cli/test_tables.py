"""Which columns a terminal gets."""

import pytest

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

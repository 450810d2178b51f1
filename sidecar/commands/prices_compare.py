"""`taximeter prices compare`: where two sources differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.arguments import Exit
from sidecar.commands.context import err, fail, out
from sidecar.commands.prices import prices, told
from sidecar.commands.tables import show_table
from sidecar.core.money import usd_text

if TYPE_CHECKING:
    from taximeter.v1 import prices_pb2 as pb

COLUMNS = ("model", "meter", "genai-prices", "theirs", "percent")


def compare(table: Path | None, tolerance: float, *, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import prices_pb2 as pb

    asked = pb.ComparePricesRequest(table=_content(table), tolerance_percent=tolerance)
    with prices(address, 60.0) as service:
        found = service.ComparePrices(asked)
    if as_json:
        told(found)
        return Exit.OK
    if found.differences:
        show_table(COLUMNS, map(_row, found.differences), right=COLUMNS[2:], whole=("model", "meter"), wide=wide)
        out.print()
    said = f"models compared: {found.models_compared:,}; prices that differ: {len(found.differences):,}"
    out.print(f"{said}; models in only one of the two: {found.models_missing:,} (US dollars a million)", markup=False)
    if not found.models_compared:
        err.print("nothing to compare with: `taximeter prices set` sets prices of your own, --table names a file")
    return Exit.OK


def _content(table: Path | None) -> bytes:
    if table is None:
        return b""
    try:
        content = table.read_bytes()
    except OSError as error:
        fail(f"{table}: {error.strerror}", Exit.USAGE)
    return content or fail(f"{table} is empty", Exit.USAGE)


def _row(each: pb.PriceDifference) -> tuple[object, ...]:
    return (
        f"{each.ref.provider}/{each.ref.model}",
        each.meter,
        usd_text(each.ours) if each.HasField("ours") else None,
        usd_text(each.theirs) if each.HasField("theirs") else None,
        f"{each.percent:+.1f}",
    )

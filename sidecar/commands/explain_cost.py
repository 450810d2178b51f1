"""`taximeter explain --cost`: what a call would cost at each target of its plan. Nothing is called."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

from sidecar.arguments import Exit
from sidecar.commands.context import err, out, print_json
from sidecar.commands.explain import ALONE, Wish, asked, by_configuration, by_sidecar, named
from sidecar.commands.show import about
from sidecar.commands.tables import show_table
from sidecar.core.money import to_usd

if TYPE_CHECKING:
    from taximeter.v1 import catalog_pb2

COLUMNS = ("#", "target", "in", "out", "cost", "at most", "price", "version")


def estimate(wish: Wish, *, address: str, as_json: bool) -> int:
    """Asks the running sidecar, else the configuration. Returns an exit code."""
    from taximeter.v1 import catalog_pb2

    request = catalog_pb2.EstimateCostRequest(call=asked(wish))
    found = by_sidecar(lambda catalog: catalog.EstimateCost(request), address)
    told = by_configuration(lambda choosing, rpc: choosing.estimate_cost(request, rpc)) if found is None else found
    if as_json:
        from google.protobuf.json_format import MessageToDict

        print_json({"source": "configuration" if found is None else "sidecar", **MessageToDict(told)})
        return Exit.OK
    if told.estimates:
        rows = [_row(number, each) for number, each in enumerate(told.estimates, 1)]
        show_table(COLUMNS, rows, right=("#", "in", "out", "cost", "at most"), spare=("version", "price"))
    if told.error_reason:
        out.print(f"the call would fail: {told.error_message} ({told.error_reason})", style="red", markup=False)
    if found is None:
        err.print(f"\n{ALONE}", style="yellow", markup=False)
    return Exit.OK


def _row(number: int, each: catalog_pb2.CostEstimate) -> tuple[object, ...]:
    return (
        number,
        named(each.target),
        f"{each.input_tokens:,}",
        f"{each.output_tokens:,}",
        f"${each.cost_usd}" if each.HasField("cost_picodollars") else "unknown",
        about(to_usd(each.bound_picodollars), ROUND_CEILING) if each.HasField("bound_picodollars") else None,
        each.price_source,
        each.price_version,
    )

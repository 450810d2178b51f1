"""The table of sidecar/edge/roles.py; `python -m tests.support.roles_table` writes it into docs/workspaces.md."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sidecar.edge.roles import ACCESS, Across

DOCS = Path(__file__).resolve().parents[2] / "docs" / "workspaces.md"
BEGIN, END = "<!-- roles: from sidecar/edge/roles.py -->\n", "<!-- end of roles -->\n"


def documented(page: str) -> str:
    """`page` with the table as the code has it."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def table() -> str:
    return "| service | RPCs | at least | across workspaces |\n|---|---|---|---|\n" + "".join(_rows())


def _rows() -> Iterator[str]:
    """Neighbours of one service with the same access stand together."""
    rows = [(*name.split("/"), access) for name, access in ACCESS.items()]
    for (service, access), group in groupby(rows, key=lambda row: (row[0], row[2])):
        names = ", ".join(f"`{method}`" for _, method, _ in group)
        across = "" if access.across is Across.NOBODY else access.across.value
        yield f"| `{service.removeprefix('taximeter.v1.')}` | {names} | {access.least.value} | {across} |\n"


if __name__ == "__main__":
    DOCS.write_text(documented(DOCS.read_text()))

"""The dashboard's pages run without a browser, as anyone who may look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboards.context import Viewer


def a_page(home: str, module: str, who: tuple[str | None, str]) -> None:
    """What Streamlit runs: one page of dashboards.views, alone. Copied by its source, so it imports what it uses."""
    from importlib import import_module

    from dashboards.context import Context, Viewer

    viewer = Viewer(*who)
    import_module(f"dashboards.views.{module}").show(Context(home, "http://traces.example/{trace_id}", viewer))


def opened(module: str, home: Path, who: Viewer | None = None, **query: str) -> AppTest:
    """The page as `who` sees it (all workspaces, unless said otherwise), with this query in its URL."""
    seen = who or Viewer()
    app = AppTest.from_function(a_page, args=(str(home), module, (seen.workspace, seen.role)), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def sent(app: AppTest) -> bytes:
    """All that the browser is given: texts, options, and the tables and data of charts as Arrow."""
    return b"\n".join(part.SerializeToString() for part in _protos(app._tree))


def _protos(node: Any) -> Iterator[Any]:
    if (proto := getattr(node, "proto", None)) is not None and hasattr(proto, "SerializeToString"):
        yield proto
    for child in getattr(node, "children", {}).values():
        yield from _protos(child)

"""What the public views and their columns mean: dictionary.toml, as comments in the ledger and as a page.

`python -m sidecar.bookkeeper.ledger_dictionary` prints the page.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import duckdb

from sidecar.bookkeeper import ledger_schema

HEAD = """# Data dictionary

Every public view of the [ledger](ledger.md) and what its columns mean. Columns are added, never changed or taken away.
Times are UTC, money is US dollars. The same words stand in the ledger itself:

```sql
SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = 'ai_call_logs';
```

Queries to begin with: [cookbook.md](cookbook.md). This page is made by `make dictionary`.
"""


def told() -> dict[str, Any]:
    """dictionary.toml."""
    return tomllib.loads((resources.files("sidecar.bookkeeper") / "dictionary.toml").read_text("utf-8"))


def meaning(words: Mapping[str, Any], view: str, column: str) -> str:
    """In that view, else anywhere. Raises KeyError."""
    own = words["views"][view].get("columns", {})
    return str(own.get(column) or words["columns"][column])


def columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """View -> (column, type) in order; every view whose name begins with ai_."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_views() AS v "
        "ON v.view_name = table_name WHERE starts_with(table_name, 'ai_') ORDER BY table_name, column_index"
    ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for view, column, kind in rows:
        found.setdefault(view, []).append((column, kind))
    return found


def comment(connection: duckdb.DuckDBPyConnection) -> bool:
    """Writes the meanings into the ledger, for whoever looks at it with a tool of theirs; in the caller's transaction.

    False: these words stand there already, and nothing was done."""
    words = told()
    mark = "words " + hashlib.sha256(repr((words, ledger_schema.version(connection))).encode()).hexdigest()[:16]
    found = connection.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'schema_version'").fetchone()
    if found == (mark,):
        return False
    for view, named in columns(connection).items():
        connection.execute(f"COMMENT ON VIEW {view} IS {_quoted(words['views'][view]['about'])}")
        for column, _ in named:
            said = _quoted(meaning(words, view, column))
            connection.execute(f'COMMENT ON COLUMN {view}."{column}" IS {said}')
    connection.execute(f"COMMENT ON TABLE schema_version IS {_quoted(mark)}")
    return True


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def page(connection: duckdb.DuckDBPyConnection) -> str:
    """Markdown. The views in the order of dictionary.toml."""
    words, named = told(), columns(connection)
    return "\n".join([HEAD, *(line for view in words["views"] for line in _section(words, view, named[view]))])


def _section(words: Mapping[str, Any], view: str, named: list[tuple[str, str]]) -> Iterator[str]:
    yield f"## {view}\n"
    yield f"{words['views'][view]['about']}\n"
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column, kind in named:
        yield f"| `{column}` | {kind} | {meaning(words, view, column)} |"
    yield ""


def main() -> None:
    with duckdb.connect() as connection:
        ledger_schema.migrate(connection, lambda _: None)
        sys.stdout.write(page(connection))


if __name__ == "__main__":
    main()

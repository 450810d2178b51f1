"""One importer each: what the import rules in pyproject.toml cannot say file by file."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("house")
PACKAGES = ("sidecar", "analytics", "dashboards", "proto/taximeter")


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.stem.endswith(("_pb2", "_pb2_grpc")):
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def imports(tree: ast.Module) -> set[str]:
    """Top-level names of everything imported, lazily or not."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@functools.cache
def imported() -> Mapping[str, set[str]]:
    """By file."""
    return {name: imports(tree) for name, tree in sources()}


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        pytest.param(
            "duckdb",
            ("sidecar/bookkeeper/ledger", "analytics/source.py", "analytics/ledger_file.py"),
            id="duckdb: ledger, file reader",
        ),
        pytest.param("opentelemetry", ("sidecar/bookkeeper/telemetry/",), id="opentelemetry: telemetry"),
        pytest.param(
            "httpx", ("sidecar/providers/transport.py", "sidecar/vault/http.py"), id="httpx: transport, vault"
        ),
        pytest.param("sqlalchemy", ("sidecar/control/",), id="sqlalchemy: control store"),
        pytest.param("genai_prices", ("sidecar/pricing/",), id="genai_prices: pricing"),
        pytest.param("streamlit", ("dashboards/",), id="streamlit: dashboards"),
        pytest.param("xllamacpp", ("sidecar/local_model.py",), id="xllamacpp: local model"),
    ],
)
def test_a_library_is_imported_in_its_home_only(library: str, homes: tuple[str, ...]) -> None:
    strays = [name for name, found in imported().items() if library in found and not name.startswith(homes)]
    assert strays == []


def test_the_environment_is_read_in_few_places() -> None:
    """Configuration is read once, by settings; commands hand the environment over; the client reads its address."""
    allowed = ("sidecar/settings/", "sidecar/commands/", "proto/taximeter/calls.py", "dashboards/app.py")
    strays = [
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and not name.startswith(allowed)
    ]
    assert strays == []

"""Loading must not make a command wait: what it imports decides that (its time is in the benchmarks)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
from sidecar import settings
settings.load({"AI_OPENAI_KEY": "sk-1"}, Path("/nowhere"), {"openai"})
heavy = {"pydantic", "httpx", "grpc", "duckdb", "polars", "pyarrow", "streamlit", "opentelemetry"}
print(json.dumps(sorted(heavy & sys.modules.keys())))
"""


def test_loading_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []

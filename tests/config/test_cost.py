"""Loading must not make a command wait."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys, time
before = time.process_time()
from pathlib import Path
from sidecar import settings
settings.load({"AI_OPENAI_KEY": "sk-1"}, Path("/nowhere"), {"openai"})
spent = time.process_time() - before
heavy = {"pydantic", "httpx", "grpc", "duckdb", "polars", "pyarrow", "streamlit", "opentelemetry"}
print(json.dumps({"spent_s": spent, "heavy": sorted(heavy & sys.modules.keys())}))
"""


def test_loading_imports_nothing_heavy_and_takes_at_most_150_ms() -> None:
    """CPU time, imports included; about 80 ms on the machine it was written on."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["spent_s"] <= 0.15

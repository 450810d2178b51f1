"""`python -m benchmarks [startup parts budgets ...]`: runs the named ones, or all, and prints Markdown tables.

`questions`, `exports` and `rolling` are not among all: they take minutes, and make ledgers (`--calls`: how large,
1e6,1e7).
"""

import argparse
import importlib
import platform
import sys

ALL = ("startup", "parts", "budgets", "calls", "visibility")
SIZED = ("questions", "exports", "rolling")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", default=list(ALL))
    parser.add_argument("--calls", default="1e6,1e7", help="for questions, exports and rolling: sizes of ledgers")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in (*ALL, *SIZED)]:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join((*ALL, *SIZED))}")
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    for name in asked.names:
        module = importlib.import_module(f"benchmarks.{name}")
        sizes = [int(float(size)) for size in asked.calls.split(",")]
        print(module.table(sizes) if name in SIZED else module.table(), flush=True)


main()

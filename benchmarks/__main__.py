"""`python -m benchmarks [startup parts budgets ...]`: runs the named ones, or all, and prints Markdown tables."""

import importlib
import platform
import sys

ALL = ("startup", "parts", "budgets", "calls", "visibility", "exports")


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(ALL)}")
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    for name in names:
        print(importlib.import_module(f"benchmarks.{name}").table(), flush=True)


main()

"""`python -m sidecar` is `taximeter`."""

from sidecar.cli import main

main()

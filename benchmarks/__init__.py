"""Speed, shown by measurement: `make bench`, or `python -m benchmarks calls`."""

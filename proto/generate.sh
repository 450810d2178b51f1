#!/bin/sh
# Generates the Python of every .proto, beside it. Run through `make proto`.
set -eu
cd "$(dirname "$0")"
bin=${VENV:-../.venv}/bin
# shellcheck disable=SC2046
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -I . \
  --python_out=. --mypy_out=. --grpc_python_out=. --mypy_grpc_out=. \
  $(find taximeter -name '*.proto' | sort)

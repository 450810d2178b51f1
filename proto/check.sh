#!/bin/sh
# Fails if the committed generated code is not what the .proto files give today.
set -eu
cd "$(dirname "$0")"
bin=${VENV:-../.venv}/bin
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck disable=SC2046
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -I . \
  --python_out="$out" --mypy_out="$out" --grpc_python_out="$out" --mypy_grpc_out="$out" \
  $(find taximeter -name '*.proto' | sort) 2>/dev/null
for file in $(cd "$out" && find . -type f | sort); do
  cmp -s "$out/$file" "$file" || { echo "proto/$file is stale: run make proto"; exit 1; }
done

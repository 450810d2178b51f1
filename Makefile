# What a newcomer guesses: up, demo, test, lint, bench, soak, proto, lock, clean.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps

.PHONY: up demo setup setup-dev test lint format proto proto-check breaking lock dictionary bench soak focus-check clean

up: setup
	@$(BIN)/taximeter up

demo: setup
	@$(BIN)/taximeter demo

setup: $(VENV)/.stamp-server
setup-dev: $(VENV)/.stamp-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Taximeter needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...")'
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-server: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the pinned packages into $(VENV) (about a minute)"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing the pinned packages for development into $(VENV) (about a minute)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@ $(VENV)/.stamp-server

# Where bytecode is not written, each of the hundreds of processes that tests start would compile all that it imports.
test: setup-dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not soak" $(ARGS)

lint: setup-dev proto-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

proto: setup-dev
	@VENV=$(abspath $(VENV)) sh proto/generate.sh

# The committed Python must be what the .proto files give; and those must pass buf's STANDARD rules.
proto-check: setup-dev
	@cd proto && $(abspath $(BIN))/buf lint
	@VENV=$(abspath $(VENV)) sh proto/check.sh

# Against the last landed state; from the first release on this is part of `lint`.
breaking: setup-dev
	@cd proto && $(abspath $(BIN))/buf breaking --against '../.git#branch=main,subdir=proto'

lock: setup-dev
	@$(BIN)/uv pip compile pyproject.toml --extra server --extra build --python-version 3.11 \
	  --generate-hashes --no-header -q -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra server --extra build --extra bedrock --extra postgres --extra aws-kms --extra gcp-kms --extra dev --python-version 3.11 \
	  --generate-hashes --no-header -q -c requirements.lock -o requirements-dev.lock

# docs/data-dictionary.md, from the ledger's schema and sidecar.bookkeeper.ledger_dictionary.toml.
dictionary: setup-dev
	@$(BIN)/python -m sidecar.bookkeeper.ledger_dictionary > docs/data-dictionary.md

bench: setup-dev
	@$(BIN)/python -m benchmarks $(ARGS)

soak: setup-dev
	@$(BIN)/python -m pytest -m soak tests $(ARGS)

# FOCUS files judged by the official validator: in an environment of its own, for it needs Python 3.12 (and NumPy 1,
# which newer ones do not have).
PYTHON312 ?= $(shell python3.12 -c 'import sys; print(sys.executable)' 2>/dev/null)
FOCUS := artifacts/focus

focus-check: setup-dev
	@if [ -n "$(PYTHON312)" ]; then $(MAKE) -s $(FOCUS)/.stamp && \
	  find $(FOCUS) -maxdepth 1 -name 'ledger.duckdb*' -delete && \
	  $(BIN)/python -m tests.focus.check $(FOCUS)/venv/bin/focus-validator $(FOCUS); \
	else echo; echo "##### SKIPPED: the FOCUS validator needs Python 3.12, and none was found."; \
	  echo "##### Nothing was checked: make focus-check PYTHON312=/path/to/python3.12"; echo; fi

$(FOCUS)/.stamp: tests/focus/requirements.txt
	@echo "installing the FOCUS validator into $(FOCUS)/venv (about a minute)"
	@mkdir -p $(FOCUS) && $(PYTHON312) -m venv --clear $(FOCUS)/venv
	@$(FOCUS)/venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
	  -r tests/focus/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache artifacts

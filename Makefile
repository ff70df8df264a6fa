# agent-runtime: `make demo` shows it, `make up` runs it, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo up test check format bench clean system-demo system-test

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.local system-demo ## A fresh machine to a finished report: the whole stack, one task, then stops
	@$(BIN)/agent-runtime demo

up: $(VENV)/.local system-demo ## Run everything on this machine until Ctrl-C
	@$(BIN)/agent-runtime up

test: $(VENV)/.dev system-test ## Run all tests, on real parts
	@$(BIN)/python -m pytest

check: $(VENV)/.dev ## Lint, types, SQL style
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --disable-progress-bar -q sql

format: $(VENV)/.dev ## Format the Python sources
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## Run the benchmarks, beside other queues and runtimes, and print their tables
	@$(BIN)/python -m bench

clean: ## Remove what make installed in this folder
	rm -rf $(VENV) demo-output

# A package that the system does not let us install is told of, never fatal: the runtime says what it uses instead.
system-demo:
	@sh scripts/system_packages.sh bwrap:bubblewrap
system-test:
	@sh scripts/system_packages.sh bwrap:bubblewrap chromium:chromium pgbouncer:pgbouncer
	@sh scripts/postgres_15.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "agent-runtime needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "this Python has no venv; on Debian or Ubuntu: apt-get install python3-venv"; exit 2; }

$(VENV)/.local: pyproject.toml | $(VENV)/bin/python
	@echo "Installing agent-runtime and the embedded stack into $(VENV) (once, a minute or so)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing agent-runtime with what its tests need into $(VENV) (once, a minute or so)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,dev]'
	@touch $@ $(VENV)/.local

$(VENV)/.bench: $(VENV)/.dev
	@echo "Installing what the benchmarks compare with into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,dev,bench]'
	@touch $@

# agent-runtime: `make demo` shows it, `make up` runs it, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# uv installs in seconds what takes pip minutes. Where it may not reach what pip is configured to, pip does it.
UV     := $(BIN)/uv pip install --quiet --python $(BIN)/python
install = $(UV) $(1) || $(PIP) $(1)
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command 'make lock' $(UPGRADE)
# What the web UI is built from, folders too, so that a file that was removed counts. stamp.json is written last.
UI     := ui/dist/stamp.json
UI_SRC := $(shell find ui/. -not -path '*/node_modules*' -not -path 'ui/./dist*')
# Without byte code every process would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
comma := ,
.DEFAULT_GOAL := help
.PHONY: help demo up ui test check format access seed types screenshots bench audit secrets lock clean system-demo system-test

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.compiled system-demo ## A fresh machine to a finished report: the whole stack, one task, then stops
	@$(BIN)/agent-runtime demo

up: $(VENV)/.compiled system-demo $(UI) ## Run everything on this machine until Ctrl-C
	@$(BIN)/agent-runtime up

ui: $(UI) ## Build the web UI into ui/dist

# The system's packages arrive while Python's do; byte code is made while the web UI is built.
test: ## Run all tests, on real parts
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/.dev system-test
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/.compiled $(UI)
	@$(BIN)/python -m pytest

check: $(VENV)/.dev ## Lint, types and style of Python, SQL and the web UI
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --disable-progress-bar -q sql
	@$(BIN)/python scripts/build_ui.py check

format: $(VENV)/.dev ## Format the sources of Python and the web UI
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/python scripts/build_ui.py format

access: $(VENV)/.dev ## Make docs/access.md from sql/access.yaml
	@$(BIN)/python -m agent_runtime.access.page

seed: $(VENV)/.dev ## Make sql/seed/tools.sql from the tools of the folder
	@PYTHONPATH=. $(BIN)/python scripts/tool_seed.py

types: $(VENV)/.dev ## Make the web UI's types from the database and the events
	@PYTHONPATH=. $(BIN)/python scripts/ui_types.py

screenshots: $(VENV)/.dev system-test $(UI) ## Take a picture of each screen, into docs/images/
	@PYTHONPATH=. $(BIN)/python scripts/screenshots.py

bench: $(VENV)/.bench $(VENV)/.compiled $(UI) ## Run the benchmarks, beside other queues and runtimes, and print their tables
	@$(BIN)/python -m bench

audit: $(VENV)/.dev ## Ask the databases of known vulnerabilities about all that is locked (needs the network)
	@PYTHONPATH=. $(BIN)/python scripts/audit.py

secrets: $(VENV)/.dev ## Look for keys and passwords in what is committed
	@$(BIN)/python scripts/find_secrets.py

# What is locked stays at its version unless pyproject.toml says otherwise; UPGRADE=--upgrade takes the newest of everything.
lock: $(VENV)/bin/python ## Write requirements/ anew from pyproject.toml
	@uv="$$(sed -n 's/^  "\(uv==[0-9.]*\)".*/\1/p' pyproject.toml)"; $(PIP) "$$uv"; echo "$$uv" | $(LOCK) --output-file requirements/uv.lock -
	@$(LOCK) --extra local --extra data --extra dev --output-file requirements/dev.lock pyproject.toml
	@$(LOCK) --extra local --constraint requirements/dev.lock --output-file requirements/local.lock pyproject.toml
	@$(LOCK) --constraint requirements/dev.lock --output-file requirements/worker.lock pyproject.toml

clean: ## Remove what make installed in this folder
	rm -rf $(VENV) demo-output ui/dist ui/node_modules

$(UI): $(UI_SRC) scripts/build_ui.py agent_runtime/web/stamp.py | $(VENV)/.local
	@echo "Building the web UI (half a minute the first time, then seconds)"
	@$(BIN)/python scripts/build_ui.py

# A package that the system does not let us install is told of, never fatal: the runtime says what it uses instead.
system-demo:
	@sh scripts/system_packages.sh bwrap:bubblewrap
system-test:
	@sh scripts/system_packages.sh bwrap:bubblewrap chromium-headless-shell:chromium-headless-shell pgbouncer:pgbouncer rg:ripgrep
	@sh scripts/postgres_15.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "agent-runtime needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "this Python has no venv; on Debian or Ubuntu: apt-get install python3-venv"; exit 2; }

$(VENV)/.uv: requirements/uv.lock | $(VENV)/bin/python
	@$(PIP) --require-hashes --requirement requirements/uv.lock || echo "uv cannot be installed: pip takes its place, and longer"
	@touch $@

# Every package at the version and with the digest that the lock holds; then ourselves, without asking for anything else.
$(VENV)/.local: pyproject.toml requirements/local.lock $(VENV)/.uv
	@echo "Installing agent-runtime and the embedded stack into $(VENV) (once, half a minute or so)"
	@$(call install,--require-hashes --requirement requirements/local.lock)
	@$(call install,--no-deps --editable .)
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.lock $(VENV)/.uv
	@echo "Installing agent-runtime with what its tests need into $(VENV) (once, half a minute or so)"
	@$(call install,--require-hashes --requirement requirements/dev.lock)
	@$(call install,--no-deps --editable .)
	@touch $@ $(VENV)/.local

# For what runs where it cannot write byte code, in sandboxes. Tests that packages bring, and tools, make what they need.
$(VENV)/.compiled: $(VENV)/.local
	@$(BIN)/python -m compileall -qq -x '/(tests?|_pytest|hypothesis|mypyc?|pip|pygments|sqlfluff)/' $(VENV)/lib || true
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo "Installing what the benchmarks compare with into $(VENV) (once)"
	@$(call install,--editable '.[local$(comma)dev$(comma)bench]')
	@touch $@

# fluxkeep: `make run` and `make test` are all that a newcomer needs; both set everything up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
PY := $(shell command -v $(PYTHON) || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
NATIVE := $(wildcard native/*)
PAGE := $(wildcard ui/* ui/src/* ui/src/*/* ui/src/*/*/*)
ADDRESS ?= 127.0.0.1:8086
DATA ?= ./data

.PHONY: help run test check browser bench mutation format lock clean

help: ## Show what can be made
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMPS)/venv:
	@"$(PY)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fluxkeep needs Python 3.11 or newer; found $$("$(PY)" --version)"; exit 1; }
	@"$(PY)" -m venv $(VENV) || { echo "Python's venv is missing (Debian: apt-get install python3-venv python3-dev)"; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: $(STAMPS)/venv requirements/build.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	@touch $@

$(STAMPS)/runtime: $(STAMPS)/build requirements/runtime.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(STAMPS)/install: $(STAMPS)/runtime pyproject.toml hatch_build.py $(NATIVE) $(filter-out ui/node_modules,$(PAGE))
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

run: $(STAMPS)/install ## Set up and start influxd on 127.0.0.1:8086 with its data in ./data
	@mkdir -p -m 0700 $(DATA)
	@exec $(BIN)/influxd run --http-bind-address $(ADDRESS) --bolt-path $(DATA)/influxd.bolt --sqlite-path $(DATA)/influxd.sqlite --engine-path $(DATA)/engine

test: $(STAMPS)/dev $(STAMPS)/install ## Set up and pass every test
	@$(MAKE) --no-print-directory lint browser
	$(BIN)/pytest

check: $(STAMPS)/dev $(STAMPS)/install ## Format, lint, types, import contracts, fast tests
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -m "not slow"

browser: ## Install the browser that `make test` drives, where this user may
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium chromium-driver >/dev/null; \
	else echo "The browser tests need Chromium and its driver (Debian: apt-get install chromium chromium-driver, as root)."; fi

.PHONY: lint
lint:
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMPS)/dev $(STAMPS)/install ## Measure, beside Debian's influxdb and victoria-metrics where installed
	$(BIN)/python -m benchmarks

mutation: $(STAMPS)/dev $(STAMPS)/install ## Mutate access and credentials (or MODULES="..."); fail on a mutant nobody notices or explains
	nice $(BIN)/python tests/credentials/mutation.py $(if $(AGAIN),--again) $(MODULES)

format: $(STAMPS)/dev ## Format the sources and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Pin the dependencies anew (needs uv)
	@for set in build runtime dev; do uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/$$set.in -o requirements/$$set.lock; done

clean: ## Remove the environment and what was built
	rm -rf $(VENV) $(STAMPS) build dist

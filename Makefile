# `make demo` and `make serve` need Python 3.11+ and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: demo serve stop install test check lint types imports test-slow test-llm test-clients bench-recall bench-load bench-scale bench-cost chaos clean

demo: $(INSTALLED)  ## show the main job once
	@$(BIN)/memcubed demo

serve: $(INSTALLED)  ## serve the API until Ctrl-C
	@$(BIN)/memcubed serve

stop: $(INSTALLED)  ## stop a bundled PostgreSQL that a killed service left running
	@$(BIN)/memcubed stop

install: $(INSTALLED)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("memcubed needs Python 3.11 or newer; name one with PYTHON=...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED_DEV): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(INSTALLED)

check: lint types imports test  ## what CI runs

lint: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED_DEV)
	$(BIN)/mypy

imports: $(INSTALLED_DEV)
	$(BIN)/lint-imports

test: $(INSTALLED_DEV)  ## the tests, on a real PostgreSQL and a real HTTP server
	$(BIN)/pytest

test-slow: $(INSTALLED_DEV)  ## the tests that take minutes
	$(BIN)/pytest -m slow

test-llm: $(INSTALLED_DEV)  ## the tests against the real language model at MEMCUBED_TEST_LLM_BASE_URL
	$(BIN)/pytest -m llm

test-clients: $(INSTALLED_DEV)  ## the official SDK, unmodified, against a running server; fetches 0.5 GB once
	@$(MAKE) --no-print-directory $(CLIENTS)/.installed || echo "The official SDK can't be installed; its tests will be skipped."
	$(BIN)/pytest -m clients -rs

$(CLIENTS)/.installed: tests/clients/sdk/requirements.txt tests/clients/sdk/libraries.txt
	rm -rf $(CLIENTS)
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/clients/sdk/libraries.txt
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/clients/sdk/requirements.txt
	@touch $@

bench-recall: $(INSTALLED_DEV)  ## how well search finds what holds the answer: make bench-recall DATA=folder
	$(BIN)/python -m benchmarks.recall --data $(DATA) $(ARGS)

bench-scale: $(INSTALLED_DEV)  ## search times and recall at 10k, 100k and 1M memories in one project
	$(BIN)/python -m benchmarks.scale $(ARGS)

bench-load: $(INSTALLED_DEV)  ## latency and throughput of add and search, and where the time goes
	$(BIN)/python -m benchmarks.load

bench-cost: $(INSTALLED_DEV)  ## how many tokens an add, a question and feedback cost, by purpose
	$(BIN)/python -m benchmarks.cost

chaos: $(INSTALLED_DEV)  ## half an hour of kills and faults under load, then a reckoning: make chaos ARGS="--seconds 300"
	@$(BIN)/python -m benchmarks.chaos $(ARGS)

audit: $(INSTALLED)  ## known vulnerabilities of what is installed; needs pypi.org
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	$(VENV)/audit/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" --skip-editable

clean:
	rm -rf $(VENV) $(CLIENTS) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
